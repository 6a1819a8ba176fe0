"""Linear layers among the tables of a model: `NAME.weights` (dim, width) and `NAME.offset` (1, width)."""

import torch

from recsys.graphs.model import Leaves, draw_uniform
from recsys.pairwise.adam import Adam


def new_layer(
    name: str, dim: int, width: int, rate: float, seed: int, stream: int, device: str, *, offset: bool = True
) -> dict[str, Adam]:
    """Return the tables of a layer, which begin as those of torch's Linear.

    Args:
        name: of the layer.
        dim: of what it reads.
        width: of what it returns.
        rate: Adam's.
        seed: of the run.
        stream: of the weights' draw; the offset has the next one.
        device: where the model learns.
        offset: whether there is one.
    """
    tables = {f"{name}.weights": Adam(draw_uniform(dim, width, dim**-0.5, seed, stream, device), rate)}
    if offset:
        tables[f"{name}.offset"] = Adam(draw_uniform(1, width, dim**-0.5, seed, stream + 1, device), rate)
    return tables


def apply_layer(leaves: Leaves, name: str, rows: torch.Tensor) -> torch.Tensor:
    """Return rows · weights + offset: (n, width).

    Args:
        leaves: the tables of the model.
        name: of the layer.
        rows: (n, dim).
    """
    weights, offset = leaves[f"{name}.weights"], leaves.get(f"{name}.offset")
    return rows @ weights if offset is None else torch.addmm(offset, rows, weights)
