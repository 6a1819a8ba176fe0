"""The graph of purchases: its normalisation, the mean of layers, and the edges of an epoch."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from recsys.graphs.purchases import Purchases, draw_edges, keep_edges, normalise
from tests.recsys.recommenders.contract import shop

GOLDEN = Path(__file__).parents[2] / "golden/mmrec"


def read_train() -> sp.csr_matrix:
    user, item = np.load(GOLDEN / "data.npz")["train"].astype(np.int64).T
    train = sp.csr_matrix((np.ones(len(user), np.float32), (user, item)), shape=(60, 40))
    train.sort_indices()
    return train


def square(block: sp.csr_matrix) -> np.ndarray:
    """Users and items as one graph."""
    return sp.bmat([[None, block], [block.T, None]]).toarray()


def test_the_normalised_graph_is_that_of_the_reference() -> None:
    data = np.load(GOLDEN / "data.npz")
    expected = np.zeros((100, 100))
    expected[data["graph/norm_row"], data["graph/norm_col"]] = data["graph/norm_value"]
    np.testing.assert_allclose(square(normalise(read_train())), expected, rtol=0, atol=1e-7)


def test_items_that_nobody_bought_have_no_edges() -> None:
    train = read_train()
    assert (np.diff(train.tocsc().indptr) == 0).sum() == 2
    assert np.isfinite(normalise(train, 0.0).data).all()


@pytest.mark.parametrize("layers", [0, 1, 2, 3])
def test_the_mean_of_layers_and_its_gradient_are_those_of_the_square_matrix(layers: int) -> None:
    train, random = shop(), np.random.default_rng(0)
    tables = [torch.from_numpy(random.normal(size=(n, 4)).astype(np.float32)).requires_grad_() for n in train.shape]
    found = torch.cat(Purchases(train, "cpu").average_layers(*tables, layers))
    whole = torch.from_numpy(square(normalise(train)).astype(np.float32))
    power = [torch.cat(tables)]
    for _ in range(layers):
        power.append(whole @ power[-1])
    expected = sum(power) / (layers + 1)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    weight = torch.from_numpy(random.normal(size=found.shape).astype(np.float32))
    for one, other in zip(
        torch.autograd.grad((found * weight).sum(), tables),
        torch.autograd.grad((expected * weight).sum(), tables),
        strict=True,
    ):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_an_epoch_keeps_its_share_of_different_edges() -> None:
    train = read_train()
    draws = [draw_edges(train, 0.2, seed, epoch) for seed, epoch in ((1, 0), (1, 0), (1, 1), (2, 0))]
    assert [draw.nnz for draw in draws] == [len(np.load(GOLDEN / "FREEDOM.npz")["edges"][0])] * 4
    assert (draws[0] != draws[1]).nnz == 0
    assert (draws[0] != draws[2]).nnz
    assert (draws[0] != draws[3]).nnz
    assert all((draw > train).nnz == 0 for draw in draws)
    np.testing.assert_allclose(
        normalise(train, 0.0).data.sum(), np.load(GOLDEN / "FREEDOM.npz")["graph/edge_weight"].sum(), rtol=1e-5
    )


def test_edges_are_drawn_by_their_weight_without_replacement() -> None:
    """Against drawing one edge after the other by its weight among those that are left."""
    train = sp.csr_matrix(np.array([[1, 1, 1, 1], [0, 0, 0, 1], [0, 0, 1, 1]], dtype=np.float32))
    weight, n_draws = normalise(train, 0.0).data, 4_000
    random, expected, found = np.random.default_rng(0), np.zeros(train.nnz), np.zeros(train.nnz)
    positions = train.copy()
    positions.data = np.arange(train.nnz) + 1.0
    for number in range(n_draws):
        expected[random.choice(train.nnz, 3, replace=False, p=weight / weight.sum())] += 1 / n_draws
        found[(draw_edges(positions, 3 / 7, 5, number).data - 1).astype(int)] += 1 / n_draws
    np.testing.assert_allclose(found, expected, atol=0.035)  # four standard deviations of a difference
    assert np.ptp(expected) > 0.2


def test_kept_edges_stay_where_they_are() -> None:
    train = shop()
    kept = np.random.default_rng(0).random(train.nnz) < 0.3
    expected = train.tocoo()
    found = keep_edges(train, kept)
    assert found.shape == train.shape
    np.testing.assert_array_equal(np.stack(found.nonzero()), np.stack([expected.row[kept], expected.col[kept]]))
