"""A graph of items whose edges are learned: the k nearest by projected features, with gradients for the kept edges.

Which edges are kept is chosen block by block and without gradient, so memory grows with items times k. Where the dense
matrix of all similarities is kept instead, the others have no gradient either: both are the same.
"""

from typing import Any, NamedTuple

import torch
from torch.nn.functional import embedding_bag, normalize

from recsys.graphs.neighbours import BLOCK_VALUES, NONE, Neighbours, choose_largest


class Edges(NamedTuple):
    """The entries of a sparse matrix, the same number in each row.

    Attributes:
        columns: (n, k) int64; any where the value is 0.
        values: (n, k) float32.
    """

    columns: torch.Tensor
    values: torch.Tensor


class EpochEdges:
    """The graph of an epoch, built in its first step and constant in the others; a fit that was killed reads it again.

    Args:
        shape: rows, and edges of each.
        device: where the model learns.
    """

    def __init__(self, shape: tuple[int, int], device: str) -> None:
        self.columns = torch.zeros(shape, dtype=torch.int64, device=device)
        self.values = torch.zeros(shape, device=device)
        self.epoch = torch.full((1,), -1, dtype=torch.int64)  # whose graph this is
        self.current = -1

    @property
    def state(self) -> dict[str, torch.Tensor]:
        """Every tensor that an epoch changes, by name."""
        return {"columns": self.columns, "values": self.values, "epoch": self.epoch}

    @property
    def is_built(self) -> bool:
        """Tell whether the graph is that of the current epoch."""
        return int(self.epoch) == self.current

    def keep(self, edges: Edges) -> None:
        """Keep the graph of the current epoch, without gradients."""
        self.columns.copy_(edges.columns)
        self.values.copy_(edges.values.detach())
        self.epoch.fill_(self.current)


def read_edges(neighbours: Neighbours, device: str) -> Edges:
    """Return the similarities to the neighbours as edges."""
    columns = torch.from_numpy(neighbours.items).long()
    return Edges(columns.where(columns != NONE, 0).to(device), torch.from_numpy(neighbours.similarities).to(device))


def learn_edges(rows: torch.Tensor, known: torch.Tensor, k: int) -> Edges:
    """Return the cosines of each row with the k nearest, itself among them, with gradients for the rows.

    Args:
        rows: (n, width).
        known: which have edges, (n,) bool.
        k: how many; all known rows where there are fewer, and the rest is 0.
    """
    unit = normalize(rows)
    columns = choose_nearest(unit.detach(), known, k)
    present = known[:, None] & (torch.arange(columns.shape[1], device=rows.device) < known.sum())
    return Edges(columns, _Products.apply(unit, columns) * present)


class _Products(torch.autograd.Function):
    """The products of each row with the rows of its columns, (n, k), in blocks: memory for no vector of an edge."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(rows, columns)
        return torch.cat([(rows[part, None] * rows[columns[part]]).sum(2) for part in _split(rows, columns)])

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        rows, columns = ctx.saved_tensors
        total = multiply_edges(Edges(columns, gradients[0]), rows)
        for part in _split(rows, columns):
            of_edges = gradients[0][part, :, None] * rows[part, None]
            total.index_add_(0, columns[part].reshape(-1), of_edges.reshape(-1, rows.shape[1]))
        return total, None


def _split(rows: torch.Tensor, columns: torch.Tensor) -> list[slice]:
    step = max(1, BLOCK_VALUES // max(1, columns.shape[1] * rows.shape[1]))
    return [slice(start, start + step) for start in range(0, len(rows), step)]


def choose_nearest(unit: torch.Tensor, known: torch.Tensor, k: int) -> torch.Tensor:
    """Choose the k known rows with the largest products, ties by their order; 0 for none: (n, min(k, n)) int64."""
    chosen = torch.zeros((len(unit), min(k, len(unit))), dtype=torch.int64, device=unit.device)
    places = known.nonzero()[:, 0]
    width = min(k, len(places))
    if width:
        others = unit[places].T
        for part in places.split(max(1, BLOCK_VALUES // len(places))):
            chosen[part, :width] = places[choose_largest(unit[part] @ others, width)]
    return chosen


def normalise_edges(edges: Edges) -> Edges:
    """Return D^-½ S D^-½, D the sums of the rows; a row whose sum is no more than 0 has no edges."""
    degree = edges.values.sum(1)
    root = torch.where(degree > 0, degree.where(degree > 0, 1).rsqrt(), 0)
    return Edges(edges.columns, edges.values * root[:, None] * root[edges.columns])


def join_edges(parts: list[Edges]) -> Edges:
    """Return the sum of matrices of the same rows, with the edges of all."""
    return Edges(*(torch.cat(list(same), 1) for same in zip(*parts, strict=True)))


def multiply_edges(edges: Edges, table: torch.Tensor) -> torch.Tensor:
    """Return matrix · table, with gradients for the values and for the table: (n, width)."""
    return embedding_bag(edges.columns, table, per_sample_weights=edges.values, mode="sum")
