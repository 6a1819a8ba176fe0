"""The features of the arrivals: one folder for each source of their words, or of a vector in the words' place."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from features.files import Features, Rows, read_features
from pipeline.core.errors import UserError
from recsys.recommenders._standards import find_standards

REFERENCE = "reference"  # the source whose words are the shop's own
WARM = "warm-"  # begins the folders of items that are no arrivals: fillers of those without description
PICTURES = "pictures"  # the one source of features that read no text


@dataclass(frozen=True)
class Source:
    """Where the features of arrivals come from.

    Attributes:
        name: as in tables: `reference`, `tiny-llava-ft`, `ridge-resnet50`, `pictures`, …
        features: holds a row for each arrival, and may hold more.
    """

    name: str
    features: Features

    def has(self, item_ids: Sequence[str]) -> bool:
        """Tell whether each of these items has features of this source."""
        return not set(item_ids) - set(self.features.ids)


def list_sources(folders: Sequence[Path], fitted_on: Features, item_ids: Sequence[str]) -> list[Source]:
    """Return the sources of the arrivals' features, each with a row for every arrival.

    Args:
        folders: of the sources of words; none: the features are of pictures, their one source.
        fitted_on: the features that models were fitted on.
        item_ids: the arrivals.

    Raises:
        UserError: see `read_sources`; or an arrival has no picture's features.
    """
    if folders:
        return read_sources(folders, item_ids, fitted_on.array.shape[1])
    fitted_on.select(item_ids)
    return [Source(PICTURES, fitted_on)]


def read_sources(folders: Sequence[Path], item_ids: Sequence[str], dim: int) -> list[Source]:
    """Read the sources below some folders, by name.

    Args:
        folders: of a text extractor: data/features/sources/X and data/features/imputed/X, a folder a source; those that
            begin with `warm-` are of other items, and are left out.
        item_ids: the arrivals.
        dim: the dimensions of the features that models were fitted on.

    Raises:
        UserError: there is no source, two folders have one of the same name, a source lacks arrivals, or its features
            have other dimensions.
    """
    every = [path for folder in folders for path in sorted(folder.glob("*/")) if (path / "features.npy").is_file()]
    found = [path for path in every if not path.name.startswith(WARM)]
    if not found:
        raise UserError(f"no source of features for arrivals in {' or '.join(map(str, folders))}; run `dvc repro`")
    sources: dict[str, Source] = {}
    for path in found:
        if path.name in sources:
            raise UserError(
                f"{path}: the source {path.name} is in {sources[path.name].features.source} too; rename one"
            )
        sources[path.name] = Source(path.name, read_features(path))
        check_source(sources[path.name], item_ids, dim)
    return [sources[name] for name in sorted(sources)]


def check_source(source: Source, item_ids: Sequence[str], dim: int) -> None:
    """Refuse a source that lacks arrivals, or whose features are not those that models were fitted on.

    Raises:
        UserError: see above; the message counts and names the arrivals.
    """
    own = source.features.select(item_ids).shape[1]
    if own != dim:
        raise UserError(
            f"{source.features.source}: features of {own} dimensions, but models were fitted on {dim}; run `dvc repro` "
            "to extract both with the same extractor"
        )


def compare_sources(
    sources: Sequence[Source], fitted_on: Features, fit_ids: list[str], item_ids: Sequence[str]
) -> dict[str, np.ndarray]:
    """Return the similarity of each arrival to its reference, by source; nothing where there is no reference.

    Args:
        sources: of the arrivals' features.
        fitted_on: the features that models were fitted on.
        fit_ids: the items of the fit.
        item_ids: the arrivals.

    Returns:
        source → (n_arrivals,) float64.
    """
    reference = next((source.features for source in sources if source.name == REFERENCE), None)
    if reference is None:
        return {}
    centre, _ = find_standards(fitted_on.select(fit_ids), fit_ids)
    own = reference.select(item_ids)
    return {source.name: compare_with_reference(source.features.select(item_ids), own, centre) for source in sources}


def compare_with_reference(vectors: Rows, reference: Rows, centre: np.ndarray) -> np.ndarray:
    """Return the cosine of each arrival's vector to that of its reference, both centred; 0 for a vector of length 0.

    Args:
        vectors: (n_arrivals, dim).
        reference: (n_arrivals, dim).
        centre: mean over the fit items, (dim,).

    Returns:
        (n_arrivals,) float64.
    """
    cosines = [np.zeros(0)]
    for (_, own), (_, other) in zip(vectors.blocks(), reference.blocks(), strict=True):
        one, two = own.astype(np.float64) - centre, other.astype(np.float64) - centre
        length = np.linalg.norm(one, axis=1) * np.linalg.norm(two, axis=1)
        cosines.append(np.divide((one * two).sum(1), length, out=np.zeros(len(one)), where=length > 0))
    return np.concatenate(cosines)
