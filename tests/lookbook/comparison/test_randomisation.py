"""The randomisation test: equal to ranking again in every draw, whatever ties, prefixes and blocks."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from lookbook.comparison import randomisation
from lookbook.comparison.randomisation import Randomisation, TwoTexts, draw_coins, randomise_texts, sum_differences
from recsys.scoring.metrics import compute_metrics


def slow_difference(run: TwoTexts, relevant: sp.csr_matrix, swapped: np.ndarray, cutoff: int) -> float:
    """Rank the items again with the texts of some items swapped, and sum the difference of NDCG over users."""
    ndcg = []
    for second in (swapped, ~swapped):
        text = np.where(second[:, None], run.b, run.a)
        scores = run.users @ text.T + np.where(second, run.bias_b, run.bias_a)
        lists = np.argsort(-scores, axis=1, kind="stable")[:, :cutoff]
        ndcg.append(compute_metrics(lists, relevant, [cutoff])[f"ndcg_{cutoff}"].sum())
    return float(ndcg[0] - ndcg[1])


def draw_case(
    seed: int, n_users: int, n_items: int, n_products: int, whole: bool
) -> tuple[TwoTexts, sp.csr_matrix, np.ndarray]:
    """Draw a model, purchases and products; whole numbers make many ties, and no rounding."""
    rng = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return (rng.integers(-1, 2, shape) if whole else rng.normal(size=shape)).astype(np.float32)

    run = TwoTexts(draw(n_users, 3), draw(n_items, 3), draw(n_items, 3), draw(n_items), draw(n_items))
    bought = rng.random((n_users, n_items)) < 0.1
    bought[np.arange(n_users), rng.integers(0, n_items, n_users)] = True
    return run, sp.csr_matrix(bought.astype(np.float32)), rng.integers(0, n_products, n_items)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_items=st.integers(1, 60),
    n_products=st.integers(1, 30),
    cutoff=st.integers(1, 12),
    whole=st.booleans(),
    prefix=st.integers(1, 40),
    cells=st.integers(1, 2000),
)
def test_a_draw_equals_ranking_again(
    seed: int, n_items: int, n_products: int, cutoff: int, whole: bool, prefix: int, cells: int
) -> None:
    run, relevant, product = draw_case(seed, 9, n_items, n_products, whole)
    coins = draw_coins(n_products, 20, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(randomisation, "PREFIX", prefix)
        patch.setattr(randomisation, "BLOCK_CELLS", cells)
        own, swapped = sum_differences(run, relevant, product, coins, cutoff)
    swaps = coins[product].astype(bool)
    assert own == pytest.approx(slow_difference(run, relevant, np.zeros(n_items, bool), cutoff), abs=1e-9)
    slow = [slow_difference(run, relevant, swaps[:, draw], cutoff) for draw in range(20)]
    assert swapped == pytest.approx(slow, abs=1e-9)


def test_texts_that_are_the_same_everywhere_are_ranked_by_item() -> None:
    """As with no words: all of one text's scores tie, however a product is added up."""
    run, relevant, product = draw_case(1, 40, 300, 100, False)
    run = TwoTexts(run.users, run.a, np.tile(run.b[:1], (300, 1)), run.bias_a, np.tile(run.bias_b[:1], 300))
    coins = draw_coins(100, 10, 1)
    own, swapped = sum_differences(run, relevant, product, coins, 12)
    assert own == pytest.approx(slow_difference(run, relevant, np.zeros(300, bool), 12), abs=1e-9)
    slow = [slow_difference(run, relevant, coins[product, draw].astype(bool), 12) for draw in range(10)]
    assert swapped == pytest.approx(slow, abs=1e-9)


def test_p_counts_draws_that_are_as_large() -> None:
    run, relevant, product = draw_case(2, 50, 80, 30, False)
    outcome = randomise_texts([run, run], relevant, product, 12, draws=300, seed=3)
    assert outcome.difference == pytest.approx(slow_difference(run, relevant, np.zeros(80, bool), 12) / 50)
    assert np.abs(outcome.swapped.mean()) < 3 * outcome.spread / np.sqrt(300)  # no side is preferred
    n_large = np.count_nonzero(np.abs(outcome.swapped) >= abs(outcome.difference))
    assert outcome.p == (1 + n_large) / 301
    again = randomise_texts([run, run], relevant, product, 12, draws=300, seed=3)
    assert np.array_equal(again.swapped, outcome.swapped)


def test_p_does_not_depend_on_which_text_comes_first() -> None:
    run, relevant, product = draw_case(4, 50, 80, 30, False)
    turned = TwoTexts(run.users, run.b, run.a, run.bias_b, run.bias_a)
    forth, back = (randomise_texts([one], relevant, product, 12, draws=200, seed=3) for one in (run, turned))
    assert forth.difference == -back.difference
    assert forth.p == back.p


def test_one_product_shows_nothing() -> None:
    """Every draw is the difference itself or its opposite."""
    run, relevant, _ = draw_case(5, 30, 40, 1, False)
    assert randomise_texts([run], relevant, np.zeros(40), 12, draws=99, seed=1).p == 1


def test_equal_texts_show_nothing() -> None:
    run, relevant, product = draw_case(6, 30, 40, 9, False)
    same = TwoTexts(run.users, run.a, run.a, run.bias_a, run.bias_a)
    outcome = randomise_texts([same], relevant, product, 12, draws=99, seed=1)
    assert (outcome.difference, outcome.p) == (0, 1)
    assert outcome.spread < 1e-15


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=200, max_size=400), st.sampled_from([0.05, 0.05 / 3]))
def test_the_limit_parts_small_p_from_others(swapped: list[float], level: float) -> None:
    limit = Randomisation(0.0, np.array(swapped)).find_limit(level)
    beyond, at = (Randomisation(size, np.array(swapped)).p for size in (limit + 1e-6, limit))
    assert beyond < level <= at
