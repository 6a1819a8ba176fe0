"""The projection of item features: E f_i for the items of a batch, and its gradient, a block of rows at a time."""

from collections.abc import Iterator

import numpy as np
import torch

from features.files import Rows
from recsys.pairwise.adam import Adam

IN_MEMORY_BYTES = 4_000_000_000  # features of fewer bytes as float32 are held, on the device that learns
BLOCK_BYTES = 256_000_000  # of float32 features gathered at once


class Visual:
    """Features (n_items, dim), and what projects them: `weights` (dim, width) and, perhaps, `offset` (1, width).

    Args:
        centre: (dim,) subtracted from the features.
        scale: (dim,) multiplied with them afterwards.
    """

    def __init__(
        self, features: Rows, weights: Adam, offset: Adam | None = None, *, centre: np.ndarray, scale: np.ndarray
    ) -> None:
        self.weights, self.offset = weights, offset
        self.device = weights.values.device
        self._rows, self._centre, self._scale = features, centre, scale
        n, dim = features.shape
        self._block = max(1, BLOCK_BYTES // (4 * dim))
        self._held = self._everything() if 4 * n * dim <= IN_MEMORY_BYTES else None
        self._kept: list[tuple[slice, torch.Tensor]] = []  # what was projected last, if it was one block

    @property
    def parameters(self) -> list[Adam]:
        return [self.weights] if self.offset is None else [self.weights, self.offset]

    def wants_all(self, n_rows: int) -> bool:
        """Whether to project every item costs less than to gather this many first."""
        return self._held is not None and 2 * n_rows > len(self._rows)

    def project(self, rows: torch.Tensor | None) -> torch.Tensor:
        """A leaf of autograd: (len(rows), width); None: of every item."""
        one = rows is not None and len(rows) <= self._block
        self._kept = list(self._gathered(rows)) if one else []
        parts = [block @ self.weights.values for _, block in self._kept or self._gathered(rows)]
        return self._shifted(torch.cat(parts)).requires_grad_()

    def update(self, gradient: torch.Tensor, rows: torch.Tensor | None) -> None:
        """One step along the gradient of `project(rows)`, the last that was asked for."""
        total = torch.zeros_like(self.weights.values)
        for place, block in self._kept or self._gathered(rows):
            total.addmm_(block.T, gradient[place])
        self.weights.update(total)
        if self.offset is not None:
            self.offset.update(gradient.sum(0, keepdim=True))

    def every(self) -> torch.Tensor:
        """(n_items, width)."""
        return self.project(None).detach()

    def _shifted(self, projected: torch.Tensor) -> torch.Tensor:
        return projected if self.offset is None else projected + self.offset.values

    def _gathered(self, rows: torch.Tensor | None) -> Iterator[tuple[slice, torch.Tensor]]:
        """The features of these rows, some at a time: where they belong among them, and (n_block, dim)."""
        if rows is None and self._held is not None:
            yield slice(None), self._held
            return
        n = len(self._rows) if rows is None else len(rows)
        for start in range(0, n, self._block):
            place = slice(start, min(start + self._block, n))
            if self._held is not None and rows is not None:
                yield place, self._held.index_select(0, rows[place])
            else:
                asked = np.arange(place.start, place.stop) if rows is None else rows[place].cpu().numpy()
                yield place, self._ready(self._rows.take(asked))

    def _everything(self) -> torch.Tensor:
        held = torch.empty(self._rows.shape, dtype=torch.float32, device=self.device)
        for place, block in self._rows.blocks():
            held[place] = self._ready(block)
        return held

    def _ready(self, block: np.ndarray) -> torch.Tensor:
        block -= self._centre
        block *= self._scale
        return torch.from_numpy(block).to(self.device)
