"""How stored text features are laid out: the picture's columns, the words', and what those were projected on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import load_file, save_file

from features.components import Components
from features.files import LAYOUT, Features, read_features, write_columns
from pipeline.core.errors import UserError

COMPONENTS = "components.safetensors"  # of the words, where `reduce` is pca95


@dataclass(frozen=True)
class StoredText:
    """The features of a text variant, with the columns of pictures and words apart.

    Attributes:
        features: a row for each item, the picture's columns first.
        n_pictures: how many columns are the picture's; 0 where the extractor reads none.
        components: what the words were projected on; None if they were not.
    """

    features: Features
    n_pictures: int
    components: Components | None = None

    def take_pictures(self, ids: Sequence[str]) -> np.ndarray:
        """Read the picture's columns of these items: (len(ids), n_pictures) float32.

        Raises:
            UserError: an item has no row.
        """
        rows = self.features.select(ids)
        return rows.array[rows.index, : self.n_pictures].astype(np.float32)

    def take_words(self, ids: Sequence[str]) -> np.ndarray:
        """Read the words' columns of these items: (len(ids), dim of the words) float32.

        Raises:
            UserError: an item has no row.
        """
        rows = self.features.select(ids)
        return rows.array[rows.index, self.n_pictures :].astype(np.float32)

    def find_vectors(self, table: pd.DataFrame, texts: Collection[str]) -> dict[str, np.ndarray]:
        """Find the vectors that some texts already have.

        Args:
            table: item_id and text of the variant.
            texts: those wanted.

        Returns:
            Text → its vector, for the texts that an item of the variant has: (dim of the words,) float16.
        """
        wanted = table[table["text"].isin(set(texts))].drop_duplicates("text")
        rows = self.features.select(wanted["item_id"].tolist())
        return dict(zip(wanted["text"], rows.array[rows.index, self.n_pictures :], strict=True))


def write_layout(folder: Path, n_pictures: int, components: Components | None) -> None:
    """Write beside stored features which columns are the picture's, and what the words were projected on."""
    write_columns(folder, n_pictures)
    if components is not None:
        save_file({"mean": components.mean, "weights": np.ascontiguousarray(components.weights)}, folder / COMPONENTS)


def read_stored_text(folder: Path) -> StoredText:
    """Read the features of a text variant.

    Raises:
        UserError: there are none, or they do not say which columns are the picture's.
    """
    if not (folder / LAYOUT).is_file():
        raise UserError(
            f"{folder}: no features with a {LAYOUT}; name `{folder.parent.name}` among the `texts` of params.yaml and "
            f"run `dvc repro rec_features_text@{folder.name}`"
        )
    path = folder / COMPONENTS
    arrays = load_file(path) if path.is_file() else None
    components = Components(arrays["mean"], arrays["weights"]) if arrays else None
    features = read_features(folder)
    return StoredText(features, features.n_pictures, components)


def project(vectors: Mapping[str, np.ndarray], components: Components | None) -> dict[str, np.ndarray]:
    """Project the vectors of texts on principal components; without components they stay as they are."""
    if components is None or not vectors:
        return dict(vectors)
    return dict(zip(vectors, components.project(np.stack(list(vectors.values()))), strict=True))
