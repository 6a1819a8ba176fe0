"""Lists as a GPU makes them, on the CPU's own torch device: those of the same scores sorted."""

from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

import recsys.ranking.dense
import recsys.ranking.on_device
from recsys.ranking.on_device import rank_factors
from recsys.ranking.recommend import recommend
from recsys.ranking.scorers import Factors
from recsys.ranking.topk import SPARE

Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
Setting = tuple[Factors, sp.csr_matrix, dict[str, np.ndarray]]


def draw_setting(
    seed: int, n_items: int, draw: Callable[[np.random.Generator, tuple[int, int]], np.ndarray]
) -> Setting:
    random = np.random.default_rng(seed)
    users, items = (draw(random, (n, 4)).astype(np.float32) for n in (23, n_items))
    train = sp.csr_matrix(random.random((23, n_items)) < 0.3, dtype=np.float32)
    pools = {"all": np.ones(n_items, bool), "some": random.random(n_items) < 0.5}
    return Factors(users, items, draw(random, (n_items, 1))[:, 0].astype(np.float32)), train, pools


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 1000),
    n_items=st.sampled_from([1, 3, 12, 40, 200]),
    k=st.integers(1, 14),
    cells=st.sampled_from([1, 300, 10**6]),
)
def test_lists_are_those_of_the_cpu_whatever_is_tied(seed: int, n_items: int, k: int, cells: int) -> None:
    """Vectors of small whole numbers: their products are exact, and equal for many items."""
    scorer, train, pools = draw_setting(seed, n_items, lambda random, shape: random.integers(-1, 2, shape))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recsys.ranking.on_device, "BLOCK_CELLS", cells)
        ours = rank_factors(scorer, train, k, pools, "cpu")
    expected = recommend(scorer, train, k, pools)
    for name in pools:
        assert np.array_equal(ours[name][0], expected[name][0])
        assert np.array_equal(ours[name][1], expected[name][1])


def test_a_tie_behind_all_that_was_taken_goes_to_the_lower_item() -> None:
    """All items score the same: whichever torch takes, the lists hold the first."""
    n_items = 10 * SPARE
    scorer = Factors(np.ones((5, 1), np.float32), np.ones((n_items, 1), np.float32), np.zeros(n_items, np.float32))
    items, scores = rank_factors(
        scorer, sp.csr_matrix((5, n_items), dtype=np.float32), 3, {"all": np.ones(n_items, bool)}, "cpu"
    )["all"]
    assert items.tolist() == [[0, 1, 2]] * 5
    assert (scores == 1).all()


def test_a_score_that_is_no_number_is_refused() -> None:
    scorer, train, pools = draw_setting(0, 40, lambda random, shape: random.standard_normal(shape))
    scorer.item[7] = np.nan
    with pytest.raises(ValueError, match="not a number"):
        rank_factors(scorer, train, 3, pools, "cpu")


def test_products_on_a_gpu_are_ranked_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """`recommend` takes this road wherever the device is no CPU."""
    used = []
    monkeypatch.setattr(recsys.ranking.on_device, "rank_factors", lambda *arguments: used.append(arguments[-1]) or {})
    scorer, train, pools = draw_setting(0, 40, lambda random, shape: random.standard_normal(shape))
    recommend(scorer, train, 3, pools, device="cuda")
    assert used == ["cuda"]


def test_any_number_of_threads_gives_the_same_bits() -> None:
    scorer, train, pools = draw_setting(3, 200, lambda random, shape: random.standard_normal(shape))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recsys.ranking.dense, "BLOCK_CELLS", 400)
        one, eight = (recommend(scorer, train, 12, pools, threads) for threads in (1, 8))
    for name in pools:
        assert all(np.array_equal(first, second) for first, second in zip(one[name], eight[name], strict=True))
