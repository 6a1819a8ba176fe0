"""Products of sparse matrices with dense tables, with gradients for the tables."""

import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch


class Sparse:
    """A constant sparse matrix that multiplies dense tables on the device that learns.

    Its transpose is kept beside it, because that is what multiplies the gradient.

    Args:
        matrix: (n, m).
        device: where it is used.
    """

    def __init__(self, matrix: sp.spmatrix, device: str) -> None:
        self.rows = _to_tensor(sp.csr_matrix(matrix), device)
        self.columns = _to_tensor(sp.csr_matrix(matrix.T), device)

    def multiply(self, table: torch.Tensor) -> torch.Tensor:
        """Return matrix · table: (n, width)."""
        return _Product.apply(self.rows, self.columns, table)

    def multiply_transposed(self, table: torch.Tensor) -> torch.Tensor:
        """Return matrixᵀ · table: (m, width)."""
        return _Product.apply(self.columns, self.rows, table)


class _Product(torch.autograd.Function):
    """matrix · table, and matrixᵀ · gradient."""

    @staticmethod
    def forward(ctx: Any, matrix: torch.Tensor, transposed: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
        ctx.transposed = transposed
        return matrix @ table

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[None, None, torch.Tensor]:
        return None, None, ctx.transposed @ gradients[0]


def _to_tensor(matrix: sp.csr_matrix, device: str) -> torch.Tensor:
    matrix.sort_indices()
    parts = (matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64), matrix.data.astype(np.float32))
    bounds, columns, values = (torch.from_numpy(part) for part in parts)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(bounds, columns, values, matrix.shape, check_invariants=True).to(device)
