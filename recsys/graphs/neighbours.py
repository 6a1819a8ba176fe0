"""The items most alike by one modality's features: k nearest by cosine, found block by block.

Memory grows with the items times the block, never with the items squared. Similarities are computed in float64 and
rounded, so that equal features tie, and ties go to the item that comes first.

An item without the modality has no neighbours and is nobody's. A row of zeros has no direction, so it counts as such:
divided by its length it would be NaN, which sorts before every number, and the item would be everybody's nearest.

What was found is kept under a hash of the features' bytes: other texts have another graph, whatever their file's name.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from features.files import Rows
from pipeline import checkpoints

if TYPE_CHECKING:
    import torch

BLOCK_VALUES = 16_000_000  # similarities held at once
DIGITS = 12  # of a similarity: rounding alone never breaks a tie
MOST_KEPT = 4  # graphs that a process keeps in memory
MOST_KEPT_BYTES = 256_000_000  # of the neighbours of other items than those of a graph
NONE = -1  # in the place of a neighbour that is missing

_kept: dict[str, "Neighbours"] = {}
_kept_of_others: dict[str, "Neighbours"] = {}


@dataclass(frozen=True)
class Neighbours:
    """The nearest items of each item, best first.

    Attributes:
        items: positions, NONE for none, (n, k) int32.
        similarities: cosines, 0 for none, (n, k) float32.
    """

    items: np.ndarray
    similarities: np.ndarray

    @property
    def nbytes(self) -> int:
        """How many bytes they take."""
        return self.items.nbytes + self.similarities.nbytes


def find_neighbours(features: Rows, k: int, device: str = "cpu", folder: Path | None = None) -> Neighbours:
    """Find the k items most similar to each item, itself among them; or read them where they were found before.

    Args:
        features: (n_items, dim), finite; a row of zeros: the item lacks this modality.
        k: how many; all where there are fewer.
        device: where similarities are computed, cpu or cuda.
        folder: for the file that a fit which was killed reads; None: no file.
    """
    key = hash_rows(features, k)
    if key not in _kept:
        path = folder / f"neighbours-{key}.safetensors" if folder else None
        stored = checkpoints.load(path) if path else None
        found = Neighbours(**stored[0]) if stored else find_nearest(features, features, k, device)
        if path and not stored:
            checkpoints.save(path, {"items": found.items, "similarities": found.similarities}, {})
        while len(_kept) >= MOST_KEPT:
            del _kept[next(iter(_kept))]
        _kept[key] = found
    return _kept[key]


def hash_rows(features: Rows, k: int) -> str:
    """Return the SHA-256 of the shape, k and every byte of the features, as 64 hexadecimal digits."""
    digest = hashlib.sha256(f"{features.shape} {k}".encode())
    for _, block in features.blocks():
        digest.update(np.ascontiguousarray(block).data)
    return digest.hexdigest()


def find_nearest_once(queries: Rows, items: Rows, k: int) -> Neighbours:
    """Find the k items most similar to each query as `find_nearest`, once in a process for the same features.

    The runs of a recommender differ in what they learned, not in the features of items and arrivals.
    """
    key = f"{hash_rows(queries, k)} {hash_rows(items, k)}"
    if key not in _kept_of_others:
        found = find_nearest(queries, items, k)
        room = MOST_KEPT_BYTES - found.nbytes
        while _kept_of_others and sum(own.nbytes for own in _kept_of_others.values()) > room:
            del _kept_of_others[next(iter(_kept_of_others))]
        _kept_of_others[key] = found
    return _kept_of_others[key]


def find_nearest(queries: Rows, items: Rows, k: int, device: str = "cpu") -> Neighbours:
    """Find the k items most similar to each query by cosine, ties by the items' order.

    >>> from features.files import all_rows
    >>> rows = all_rows(np.array([[1, 0], [2, 0], [0, 1], [0, 0]], dtype=np.float32))
    >>> find_nearest(rows, rows, 2).items.tolist()
    [[0, 1], [0, 1], [2, 0], [-1, -1]]

    Args:
        queries: (n, dim); a row of zeros has no neighbours.
        items: (n_items, dim); a row of zeros is nobody's neighbour.
        k: how many; all that are not zeros where there are fewer.
        device: where similarities are computed, cpu or cuda.
    """
    import torch

    known, asked = find_known(items), find_known(queries)
    k = min(k, len(items))
    found = Neighbours(np.full((len(queries), k), NONE, np.int32), np.zeros((len(queries), k), np.float32))
    width = min(k, len(known))
    if not width:
        return found
    unit = torch.from_numpy(_scale(items, known)).to(device)
    step = max(1, BLOCK_VALUES // len(known))
    for start in range(0, len(asked), step):
        part = asked[start : start + step]
        similar = (torch.from_numpy(_scale(queries, part)).to(device) @ unit.T).round(decimals=DIGITS)
        columns = choose_largest(similar, width)
        found.items[part, :width] = known[columns.cpu().numpy()]
        found.similarities[part, :width] = similar.gather(1, columns).cpu().numpy()
    return found


def choose_largest(values: "torch.Tensor", k: int) -> "torch.Tensor":
    """Return the columns of the k largest values of each row, largest first, ties by column: (n, k) int64."""
    least = values.topk(k, dim=1).values[:, -1:]
    above, equal = values > least, values == least
    room = k - above.sum(1, keepdim=True)
    columns = (above | (equal & (equal.cumsum(1) <= room))).nonzero()[:, 1].view(len(values), k)
    order = values.gather(1, columns).argsort(dim=1, descending=True, stable=True)
    return columns.gather(1, order)


def find_known(features: Rows) -> np.ndarray:
    """Return the rows that are not all zeros, ascending: (n_known,) int64."""
    parts = [part.start + np.flatnonzero(block.any(axis=1)) for part, block in features.blocks()]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def _scale(features: Rows, rows: np.ndarray) -> np.ndarray:
    """Read some rows that are not zeros, each of length 1: (len(rows), dim) float64."""
    block = features.take(rows).astype(np.float64)
    return block / np.linalg.norm(block, axis=1, keepdims=True)
