"""Learned edges: chosen as among all pairs, whatever the block, with the gradients of the dense matrix."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys.graphs import learned
from recsys.graphs.learned import Edges, choose_nearest, join_edges, learn_edges, multiply_edges, normalise_edges


def dense(edges: Edges, n: int) -> torch.Tensor:
    matrix = torch.zeros(len(edges.values), n, dtype=edges.values.dtype)
    for row, (columns, values) in enumerate(zip(edges.columns, edges.values, strict=True)):
        matrix[row] = matrix[row].index_add(0, columns, values)
    return matrix


@given(n=st.integers(1, 12), k=st.integers(1, 14), block=st.integers(1, 60), seed=st.integers(0, 9))
def test_edges_and_gradients_are_those_of_the_dense_matrix(n: int, k: int, block: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    known = torch.from_numpy(random.random(n) < 0.8)
    ours = torch.from_numpy(random.normal(size=(n, 3))).requires_grad_()
    theirs = ours.detach().clone().requires_grad_()
    weight = torch.from_numpy(random.normal(size=(n, n)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learned, "BLOCK_VALUES", block)
        edges = learn_edges(ours, known, k)
        found = dense(edges, n)
        (found * weight).sum().backward()
    unit = torch.nn.functional.normalize(theirs)
    similar = (unit @ unit.T).masked_fill(~known[:, None] | ~known, -2)
    kept = torch.zeros_like(similar).scatter(1, similar.topk(min(k, n)).indices, 1)
    expected = torch.where((kept > 0) & (similar > -2), similar, 0)
    (expected * weight).sum().backward()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_ties_go_to_the_first_and_rows_that_are_not_known_are_nobodys() -> None:
    unit = torch.tensor([[1.0, 0], [1, 0], [1, 0], [0, 1]])
    assert choose_nearest(unit, torch.tensor([False, True, True, True]), 2).tolist() == [[0, 0], [1, 2], [1, 2], [3, 1]]
    assert choose_nearest(unit, torch.zeros(4, dtype=torch.bool), 2).tolist() == [[0, 0]] * 4


def test_a_row_whose_similarities_sum_up_to_less_than_nothing_has_no_edges() -> None:
    edges = Edges(torch.tensor([[0, 1], [1, 0]]), torch.tensor([[1.0, 1.0], [1.0, -2.0]], requires_grad=True))
    normal = normalise_edges(edges)
    torch.testing.assert_close(dense(normal, 2), torch.tensor([[0.5, 0], [0, 0]]))
    normal.values.sum().backward()
    assert bool(torch.isfinite(edges.values.grad).all())  # type: ignore[arg-type]


def test_products_are_those_of_the_dense_matrix_with_its_gradients() -> None:
    random = torch.Generator().manual_seed(0)
    parts = [
        Edges(torch.randint(5, (5, k), generator=random), torch.randn(5, k, generator=random).double()) for k in (2, 3)
    ]
    edges, table = join_edges(parts), torch.randn(5, 4, generator=random).double().requires_grad_()
    values = edges.values.clone().requires_grad_()
    found = multiply_edges(Edges(edges.columns, values), table)
    expected = sum(dense(part, 5) for part in parts) @ table
    torch.testing.assert_close(found, expected)
    ours = torch.autograd.grad(found.square().sum(), (values, table))
    again = values.detach().clone().requires_grad_()
    theirs = torch.autograd.grad((dense(Edges(edges.columns, again), 5) @ table).square().sum(), (again, table))
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_no_block_holds_all_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of 200 similarities among 100 rows: two rows at a time."""
    sizes: list[int] = []
    monkeypatch.setattr(learned, "BLOCK_VALUES", 200)
    choose = learned.choose_largest
    monkeypatch.setattr(learned, "choose_largest", lambda values, k: sizes.append(values.numel()) or choose(values, k))
    learn_edges(torch.randn(100, 4, generator=torch.Generator().manual_seed(0)), torch.ones(100, dtype=torch.bool), 3)
    assert sizes == [200] * 50
