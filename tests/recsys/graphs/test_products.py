"""Products with sparse matrices equal those with dense ones, and so do their gradients."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from recsys.graphs.products import Sparse


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
def test_a_product_and_its_gradient_are_those_of_the_dense_matrix(transposed: bool, density: float) -> None:
    random = np.random.default_rng(0)
    matrix = sp.random(7, 5, density, random_state=random, format="csr")
    sparse, dense = Sparse(matrix, "cpu"), torch.from_numpy(matrix.toarray().astype(np.float32))
    multiply, dense = (sparse.multiply_transposed, dense.T) if transposed else (sparse.multiply, dense)
    table = torch.randn(dense.shape[1], 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    found, expected = multiply(table), dense @ table
    torch.testing.assert_close(found, expected)
    weight = torch.arange(found.numel(), dtype=torch.float32).view_as(found)
    for gradient, other in zip(
        torch.autograd.grad((found * weight).sum(), table),
        torch.autograd.grad((expected * weight).sum(), table),
        strict=True,
    ):
        torch.testing.assert_close(gradient, other)
