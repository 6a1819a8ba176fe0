"""Fillers of items without description: equal to the reference outputs and to a slow obvious implementation."""

from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UserError
from recsys.imputation import graph
from recsys.imputation.graph import fill_missing
from recsys.imputation.settings import WARM_IMPUTATIONS, ZEROS, Warm

GOLDEN = Path(__file__).parents[2] / "golden/mmrec"
FROM_PURCHASES = [name for name in WARM_IMPUTATIONS if name != ZEROS]
# name in imputation.npz -> name here, neighbours, layers
CASES = {
    "neighmean_top5": ("neighbours", 5, 1),
    "neighmean_top10": ("neighbours", 10, 1),
    "multihop_top5_layers1": ("propagation", 5, 1),
    "multihop_top5_layers3": ("propagation", 5, 3),
    "multihop_top5_layers20": ("propagation", 5, 20),
    "multihop_top10_layers1": ("propagation", 10, 1),
    "multihop_top10_layers3": ("propagation", 10, 3),
    "multihop_top10_layers20": ("propagation", 10, 20),
    "ppr_top10_layers1_alpha0.1": ("pagerank", 10, 1),
    "ppr_top10_layers5_alpha0.1": ("pagerank", 10, 5),
    "heat_top10_layers1_t5": ("heat", 10, 1),
    "heat_top10_layers5_t5": ("heat", 10, 5),
}
# At item 14 the heat of items 1 and 18 is equal, and the reference took 18: here ties go to the item that comes first.
ORDER = np.arange(40)
ORDER[[1, 18]] = 18, 1


def warm(definition: str, neighbours: int, layers: int) -> Warm:
    return Warm(definition=definition, neighbours=neighbours, layers=layers, restart=0.1, time=5.0)


def as_matrix(neighbours: np.ndarray) -> sp.csr_matrix:
    """Put 1 at the neighbours of each item, given as (n_items, k)."""
    n, k = neighbours.shape
    rows = np.repeat(np.arange(n), k)
    return sp.csr_matrix((np.ones(n * k), (rows, neighbours.ravel().astype(np.int64))), shape=(n, n))


@pytest.mark.parametrize("modality", ["text", "image"])
@pytest.mark.parametrize("case", CASES)
def test_published_fillers_equal_the_reference_outputs(case: str, modality: str) -> None:
    golden, items = np.load(GOLDEN / "imputation.npz"), np.load(GOLDEN / "items.npz")
    name, k, layers = CASES[case]
    missing = golden[f"missing_{modality}"].astype(np.int64)
    known = np.ones(40, dtype=bool)
    known[missing] = False
    near = as_matrix(golden[f"neighbours_top{k}"])
    arguments = items[modality][ORDER], known[ORDER], near[ORDER][:, ORDER]
    filled, _ = fill_missing(name, *arguments, warm("published", k, layers))
    place = {item: row for row, item in enumerate(ORDER[~known[ORDER]])}
    found = filled[[place[item] for item in missing]]
    np.testing.assert_allclose(found, golden[f"{case}/{modality}"], rtol=0, atol=1e-6)


def weigh_slowly(name: str, near: np.ndarray, settings: Warm) -> np.ndarray:
    """Build the weight of item j in the sum for item i, one by one."""
    n, k = len(near), settings.neighbours
    weights = np.zeros((n, n))
    if name == "neighbours":
        return near / k
    if name == "propagation":
        others = near * (1 - np.eye(n))
        for i in range(n):
            for j in range(n):
                if others[i, j]:
                    weights[i, j] = 1 / np.sqrt(others[i].sum() * others[j].sum()) if others[j].sum() else 0
        return weights
    walk = np.stack([(near[i] + np.eye(n)[i]) / (near[i].sum() + 1) for i in range(n)])
    if name == "pagerank":  # the sum over all lengths of walks that end with probability α at each step
        spread, power = np.zeros((n, n)), np.eye(n)
        for step in range(1_000):
            spread += settings.restart * (1 - settings.restart) ** step * power
            power = power @ walk
    else:
        spread = scipy.linalg.expm(-settings.time * (np.eye(n) - walk))
    for j in range(n):
        largest = sorted(range(n), key=lambda i: (-round(spread[i, j], 12), i))[:k]
        for i in largest:
            weights[i, j] = spread[i, j] / sum(spread[row, j] for row in largest)
    return weights


def fill_slowly(
    name: str, features: np.ndarray, known: np.ndarray, near: np.ndarray, settings: Warm
) -> list[np.ndarray]:
    """Fill item by item; in the corrected definition with a share of each known item in every row."""
    weights = weigh_slowly(name, near, settings)
    n = len(known)
    shares = [np.eye(n)[item] * known[item] for item in range(n)]  # of which known items a row is the sum
    for _ in range(1 if name == "neighbours" else settings.layers):
        summed = [sum(weights[i, j] * shares[j] for j in range(n)) for i in range(n)]
        shares = [shares[i] if known[i] else summed[i] for i in range(n)]
    rows = []
    for item in np.flatnonzero(~known):
        share = shares[item]
        if settings.definition == "corrected":
            share = share / share.sum() if share.sum() > 1e-12 else known / known.sum()
        rows.append(sum(share[j] * features[j] for j in range(n)))
    return rows


@given(
    n=st.integers(2, 9), k=st.integers(1, 4), layers=st.integers(1, 4), seed=st.integers(0, 10_000),
    name=st.sampled_from(FROM_PURCHASES), definition=st.sampled_from(["published", "corrected"]),
)  # fmt: skip
def test_fillers_equal_a_slow_implementation(
    n: int, k: int, layers: int, seed: int, name: str, definition: str
) -> None:
    rng = np.random.default_rng(seed)
    near = np.zeros((n, n))
    for item in range(n):
        near[item, rng.permutation(n)[: rng.integers(0, k + 1)]] = 1
    known = rng.random(n) < 0.6
    known[rng.integers(n)] = True
    features = rng.normal(size=(n, 3))
    settings = warm(definition, k, layers)
    filled, _ = fill_missing(name, features, known, sp.csr_matrix(near), settings)
    expected = fill_slowly(name, features, known, near, settings)
    np.testing.assert_allclose(filled, np.array(expected).reshape(-1, 3), atol=1e-9)


@pytest.mark.parametrize("name", FROM_PURCHASES)
def test_corrected_fillers_keep_what_all_known_items_share(name: str) -> None:
    """Nothing shrinks: where every known item has the same row, so has every filled one."""
    near = as_matrix(np.load(GOLDEN / "imputation.npz")["neighbours_top5"])
    known = np.arange(40) % 3 > 0
    filled, _ = fill_missing(name, np.tile([2.0, -1.0], (40, 1)), known, near, warm("corrected", 5, 3))
    np.testing.assert_allclose(filled, np.tile([2.0, -1.0], (14, 1)))
    shrunk, _ = fill_missing(name, np.tile([2.0, -1.0], (40, 1)), known, near, warm("published", 5, 3))
    assert not np.allclose(shrunk, filled, rtol=0.05)


@pytest.mark.parametrize("name", FROM_PURCHASES)
def test_items_that_no_known_item_reaches_get_the_mean_and_are_counted(name: str) -> None:
    near = sp.csr_matrix(np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], dtype=np.float64))
    known = np.array([True, False, True, False])
    features = np.array([[1.0], [np.nan], [3.0], [np.nan]])
    filled, n_unreached = fill_missing(name, features, known, near, warm("corrected", 2, 3))
    np.testing.assert_allclose(filled, [[1], [2]])
    assert n_unreached == 1


@pytest.mark.parametrize("name", ["pagerank", "heat"])
def test_too_many_items_are_refused_by_name(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "MOST_ITEMS", 3)
    message = f"warm_imputations: {name} needs a matrix of all pairs of 4 items, and 3 are the most; take"
    with pytest.raises(UserError, match=message):
        fill_missing(name, np.ones((4, 1)), np.arange(4) > 0, sp.identity(4, format="csr"), warm("published", 2, 1))


def test_a_catalogue_without_any_description_is_refused() -> None:
    with pytest.raises(UserError, match="no item has a description"):
        fill_missing(
            "neighbours",
            np.ones((2, 1)),
            np.zeros(2, dtype=bool),
            sp.identity(2, format="csr"),
            warm("corrected", 2, 1),
        )


def test_heat_is_the_same_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    near = as_matrix(np.load(GOLDEN / "imputation.npz")["neighbours_top5"])
    whole = graph.spread_heat(near, warm("published", 5, 1))
    monkeypatch.setattr(graph, "BLOCK_ITEMS", 7)
    np.testing.assert_allclose(graph.spread_heat(near, warm("published", 5, 1)).toarray(), whole.toarray(), atol=1e-12)
