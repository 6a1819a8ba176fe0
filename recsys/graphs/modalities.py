"""The features of items as a graph model reads them: each modality with its neighbours and its projection.

Features whose folder says which columns are the picture's are two modalities, `image` and `text`. Any others are one,
`content`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from features.files import Rows
from recsys.graphs.layers import apply_layer, new_layer
from recsys.graphs.model import Leaves
from recsys.graphs.neighbours import Neighbours, find_known, find_neighbours
from recsys.pairwise.adam import Adam

FIRST_STREAM = 10  # of the projections' draws
ONE, IMAGE, TEXT = "content", "image", "text"  # names of modalities


@dataclass(frozen=True)
class Modality:
    """One modality of all items.

    Attributes:
        features: (n_items, dim) float32; zeros where an item lacks the modality.
        known: which items have it, (n_items,) bool.
        neighbours: the nearest items of each.
    """

    features: torch.Tensor
    known: torch.Tensor
    neighbours: Neighbours


def divide_features(features: Rows) -> dict[str, Rows]:
    """Return the modalities of features by name: `image` and `text` of rows that hold both, else `content`.

    Args:
        features: (n_items, dim).
    """
    n_pictures, dim = features.n_pictures, features.shape[1]
    return features.divide({IMAGE: n_pictures, TEXT: dim - n_pictures} if 0 < n_pictures < dim else {ONE: dim})


def divide_arrivals(learned: Mapping[str, np.ndarray], features: Rows) -> dict[str, Rows]:
    """Return the modalities of items that were not in the fit, as the features of the fit were divided.

    Args:
        learned: by a fit: `NAME.weights` (dim, width) or `NAME.features` (n_items, dim) of each modality.
        features: (n, dim), of as many dimensions as those of the fit.

    Raises:
        ValueError: they have other dimensions.
    """
    widths = {}
    for name in (ONE, IMAGE, TEXT):
        if f"{name}.weights" in learned:
            widths[name] = len(learned[f"{name}.weights"])
        elif f"{name}.features" in learned:
            widths[name] = learned[f"{name}.features"].shape[1]
    return features.divide(widths)


def read_modalities(features: Rows, k: int, device: str, folder: Path | None = None) -> dict[str, Modality]:
    """Read features into memory, and find every item's k nearest by each modality; see `read_modality`."""
    return {name: read_modality(part, k, device, folder) for name, part in divide_features(features).items()}


def read_modality(features: Rows, k: int, device: str, folder: Path | None = None) -> Modality:
    """Read features into memory, and find every item's k nearest.

    Args:
        features: (n_items, dim), finite.
        k: how many.
        device: where the model learns.
        folder: see `find_neighbours`.
    """
    read = read_features(features, device)
    return replace(read, neighbours=find_neighbours(features, k, device, folder))


def read_features(features: Rows, device: str) -> Modality:
    """Read features into memory, for a model that needs no neighbours: no item has any.

    Args:
        features: (n_items, dim), finite.
        device: where the model learns.
    """
    values = np.empty(features.shape, dtype=np.float32)
    for part, block in features.blocks():
        values[part] = block
    known = np.zeros(len(values), dtype=bool)
    known[find_known(features)] = True
    none = Neighbours(np.empty((len(values), 0), np.int32), np.empty((len(values), 0), np.float32))
    return Modality(torch.from_numpy(values).to(device), torch.from_numpy(known).to(device), none)


def new_projections(
    modalities: Mapping[str, Modality], width: int, rate: float, trained: bool, seed: int, device: str
) -> dict[str, Adam]:
    """Return the tables of each modality: `NAME.weights`, `NAME.offset` and, where they are trained, `NAME.features`.

    Weights and offsets begin as those of torch's Linear, trained features as the features.

    Args:
        modalities: by name.
        width: of the projections.
        rate: Adam's.
        trained: whether the features are parameters, too.
        seed: of the run.
        device: where the model learns.
    """
    tables: dict[str, Adam] = {}
    for number, (name, modality) in enumerate(modalities.items()):
        stream = FIRST_STREAM + 2 * number
        tables |= new_layer(name, modality.features.shape[1], width, rate, seed, stream, device)
        if trained:
            tables[f"{name}.features"] = Adam(modality.features.clone(), rate, fused=True)
    return tables


def project_rows(leaves: Leaves, name: str, modality: Modality, rows: torch.Tensor | None = None) -> torch.Tensor:
    """Project the features of some items, those that are trained where the model has such: (len(rows), width).

    Args:
        leaves: the tables of the model.
        name: of the modality.
        modality: its features.
        rows: the items; None: every item.
    """
    features = leaves.get(f"{name}.features", modality.features)
    return apply_layer(leaves, name, features if rows is None else features.index_select(0, rows))
