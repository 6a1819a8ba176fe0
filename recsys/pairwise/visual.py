"""The projection of item features: E f_i for the items of a batch, and its gradient, a block of rows at a time."""

from collections.abc import Iterator

import numpy as np
import torch

from features.files import Rows
from recsys.pairwise.adam import Adam

IN_MEMORY_BYTES = 4_000_000_000  # features of fewer bytes as float32 stay in memory, on the device that learns
BLOCK_BYTES = 256_000_000  # of float32 features gathered at once


class Visual:
    """The features of items, and the parameters that project them.

    Args:
        features: (n_items, dim).
        weights: (dim, width).
        offset: (1, width); None: no offset.
        centre: (dim,) subtracted from the features.
        scale: (dim,) multiplied with them afterwards.
    """

    def __init__(
        self, features: Rows, weights: Adam, offset: Adam | None = None, *, centre: np.ndarray, scale: np.ndarray
    ) -> None:
        self.weights, self.offset = weights, offset
        self.device = weights.values.device
        self.centre, self.scale = centre, scale
        self._rows = features
        n, dim = features.shape
        self._block = max(1, BLOCK_BYTES // (4 * dim))
        self._in_memory = self._read_all() if 4 * n * dim <= IN_MEMORY_BYTES else None
        self._last: list[tuple[slice, torch.Tensor]] = []  # the last projected block, reused by update()

    @property
    def parameters(self) -> list[Adam]:
        """Weights and, where there is one, offset."""
        return [self.weights] if self.offset is None else [self.weights, self.offset]

    def is_cheaper_for_all(self, n_rows: int) -> bool:
        """Tell whether projecting every item costs less than gathering this many rows first."""
        return self._in_memory is not None and 2 * n_rows > len(self._rows)

    def project(self, rows: torch.Tensor | None) -> torch.Tensor:
        """Project items, as a leaf of autograd: (len(rows), width).

        Args:
            rows: the items; None: every item.
        """
        in_one_block = rows is not None and len(rows) <= self._block
        self._last = list(self._blocks(rows)) if in_one_block else []
        parts = [block @ self.weights.values for _, block in self._last or self._blocks(rows)]
        return self._shift(torch.cat(parts)).requires_grad_()

    def update(self, gradient: torch.Tensor, rows: torch.Tensor | None) -> None:
        """Take one step along the gradient of the last `project(rows)`."""
        total = torch.zeros_like(self.weights.values)
        for part, block in self._last or self._blocks(rows):
            total.addmm_(block.T, gradient[part])
        self.weights.update(total)
        if self.offset is not None:
            self.offset.update(gradient.sum(0, keepdim=True))

    def project_all(self) -> torch.Tensor:
        """Project every item, without autograd: (n_items, width)."""
        return self.project(None).detach()

    def _shift(self, projected: torch.Tensor) -> torch.Tensor:
        return projected if self.offset is None else projected + self.offset.values

    def _blocks(self, rows: torch.Tensor | None) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield the features of these rows a block at a time: which of the rows, and (n_block, dim)."""
        if rows is None and self._in_memory is not None:
            yield slice(None), self._in_memory
            return
        n = len(self._rows) if rows is None else len(rows)
        for start in range(0, n, self._block):
            part = slice(start, min(start + self._block, n))
            if self._in_memory is not None and rows is not None:
                yield part, self._in_memory.index_select(0, rows[part])
            else:
                numbers = np.arange(part.start, part.stop) if rows is None else rows[part].cpu().numpy()
                yield part, self._standardise(self._rows.take(numbers))

    def _read_all(self) -> torch.Tensor:
        features = torch.empty(self._rows.shape, dtype=torch.float32, device=self.device)
        for part, block in self._rows.blocks():
            features[part] = self._standardise(block)
        return features

    def _standardise(self, block: np.ndarray) -> torch.Tensor:
        block -= self.centre
        block *= self.scale
        return torch.from_numpy(block).to(self.device)
