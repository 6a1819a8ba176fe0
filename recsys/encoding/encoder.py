"""An extractor at work: vectors of pictures and of texts, with finished parts on disk."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from catalogue.prepared.images import ImageStore
from catalogue.prepared.views import average_views
from features.components import VARIANCE_SHARE, Components, fit_components, project_blocks
from features.shards import Compute, OpenCompute, Shards
from pipeline.machine import Where
from recsys.extractors import Extractor, ExtractorSettings, ImageExtractor, TextExtractor


@dataclass(frozen=True)
class Encoder:
    """An extractor with its settings, where it computes, and the folder for parts that are finished."""

    name: str
    extractor: Extractor
    settings: ExtractorSettings
    where: Where
    work: Path

    @property
    def reads_pictures(self) -> bool:
        """Whether a row holds the vector of a picture."""
        return isinstance(self.extractor, ImageExtractor)

    @property
    def reads_texts(self) -> bool:
        """Whether a row holds the vector of a text."""
        return isinstance(self.extractor, TextExtractor)

    def encode_pictures(self, ids: Sequence[str], images: Path) -> Shards:
        """Encode the pictures of some items.

        Args:
            ids: the items.
            images: the folder of packed images.

        Raises:
            UserError: an item has no picture, or a vector is not finite.
        """
        assert isinstance(self.extractor, ImageExtractor)
        ImageStore(images).require(ids)
        return self._encode("pictures", ids, open_pictures, self.extractor, self.settings, self.where, images)

    def encode_texts(self, groups: Mapping[str, Collection[str]]) -> dict[str, np.ndarray]:
        """Encode each different text once, beside texts of its own group alone; `reduce` is left to the caller.

        The last bits of a vector depend on the texts in its batch. What changes most often comes in the last group, so
        that new captions change no bit of the features of other texts, and no run that reads those is repeated.

        Args:
            groups: name of a group → its texts; a text of several groups belongs to the first.

        Returns:
            Text → its vector, (dim,).
        """
        assert isinstance(self.extractor, TextExtractor)
        vectors: dict[str, np.ndarray] = {}
        for name, texts in groups.items():
            new = sorted(set(texts) - vectors.keys())
            if new:
                shards = self._encode(f"texts-{name}", new, open_texts, self.extractor, self.settings, self.where)
                vectors |= dict(zip(new, shards.read(), strict=True))
        return vectors

    def fit_words(self, vectors: Mapping[str, np.ndarray], own: Collection[str]) -> Components | None:
        """Fit the principal components of words where `reduce` is pca95; None where nothing is projected.

        Args:
            vectors: of `encode_texts`.
            own: the shop's own descriptions of the train items, on which they are fitted; all texts where it has none.
        """
        if not self.reduces or not vectors:
            return None
        rows = np.stack([vectors[text] for text in sorted(own or vectors)])
        return fit_components(lambda: iter([rows]), VARIANCE_SHARE, self._key)

    def reduce_pictures(self, pictures: Shards) -> Iterator[np.ndarray]:
        """Return the vectors block by block, on their principal components where `reduce` is pca95."""
        return project_blocks(pictures.blocks, VARIANCE_SHARE, self._key) if self.reduces else pictures.blocks()

    @property
    def reduces(self) -> bool:
        """Whether vectors are projected on principal components."""
        return self.settings.reduce == "pca95"

    @property
    def _key(self) -> str:
        """The parameter to name in messages."""
        return f"rec_features.{self.name}.reduce"

    def _encode(self, part: str, keys: Sequence[str], open_: OpenCompute, *arguments: object) -> Shards:
        size = self.settings.batch_size
        return Shards(self.work / part, keys, size, open_, *arguments, where=self.where)


def open_pictures(
    extractor: ImageExtractor[ExtractorSettings], settings: ExtractorSettings, where: Where, images: Path
) -> Compute:
    """Open what computes the vectors of some items: of each the mean over its pictures."""
    _set_threads(where)
    store = ImageStore(images)

    def compute(names: Sequence[str]) -> tuple[np.ndarray]:
        return (extractor.image_vectors(names, store, settings, where.device),)

    return lambda ids: average_views(ids, store, compute)


def open_texts(extractor: TextExtractor[ExtractorSettings], settings: ExtractorSettings, where: Where) -> Compute:
    """Open what computes the vectors of some texts."""
    _set_threads(where)
    return lambda texts: (extractor.text_vectors(texts, settings, where.device),)


def _set_threads(where: Where) -> None:
    import torch  # seconds

    torch.set_num_threads(where.threads)
