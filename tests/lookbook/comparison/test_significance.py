"""Properties of the paired bootstrap: exact zeros, symmetry, a slow version. Rates: test_significance_rates.py."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookbook.comparison import significance
from lookbook.comparison.significance import (
    group_sums,
    paired_corpora,
    paired_means,
    resampled_sums,
    wins_ties_losses,
)

scores = st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.integers(0, 12)), min_size=3, max_size=30)


def slow_means(a: np.ndarray, b: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Compute the plain bootstrap one draw at a time."""
    rng = np.random.default_rng(seed)
    picks = [rng.integers(0, len(a), (1, len(a)))[0] for _ in range(draws)]
    return np.array([np.mean([a[i] - b[i] for i in pick]) for pick in picks])


def test_groups_of_one_are_the_plain_bootstrap() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.1, 1, (40, 1)), rng.normal(0, 1, (40, 1))
    slow = significance.estimate(float((a - b).mean()), slow_means(a[:, 0], b[:, 0], 300, 7), 40)
    fast = paired_means(a, b, np.arange(40), 300, 7)[0]
    assert fast == pytest.approx(slow, abs=1e-12)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sums = np.random.default_rng(0).integers(0, 9, (37, 3)).astype(float)
    whole = resampled_sums(sums, 100, 5)
    monkeypatch.setattr(significance, "BLOCK", 37 * 7)
    assert np.array_equal(resampled_sums(sums, 100, 5), whole)
    assert whole.mean(axis=0) == pytest.approx(sums.sum(axis=0), rel=0.05)


def test_group_sums_add_up_by_sorted_label() -> None:
    values = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])
    assert group_sums(values, np.array([9, 3, 9])).tolist() == [[2.0, 20.0], [5.0, 50.0]]


@settings(max_examples=60, deadline=None)
@given(scores)
def test_a_minus_b_is_minus_b_minus_a(rows: list[tuple[float, float, int]]) -> None:
    a, b, groups = (np.array(column) for column in zip(*rows, strict=True))
    forth, back = (paired_means(x[:, None], y[:, None], groups, 200, 3)[0] for x, y in ((a, b), (b, a)))
    assert (forth.difference, forth.low, forth.high) == pytest.approx(
        (-back.difference, -back.high, -back.low), abs=1e-9
    )
    assert forth.p == pytest.approx(back.p)


@settings(max_examples=60, deadline=None)
@given(scores, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows: list[tuple[float, float, int]], random) -> None:
    shuffled = random.sample(rows, len(rows))
    results = []
    for order in (rows, shuffled):
        a, b, groups = (np.array(column) for column in zip(*order, strict=True))
        results.append(paired_means(a[:, None], b[:, None], groups, 200, 3)[0])
    assert results[0] == pytest.approx(results[1], abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(scores)
def test_interval_and_p_agree(rows: list[tuple[float, float, int]]) -> None:
    a, b, groups = (np.array(column) for column in zip(*rows, strict=True))
    estimate = paired_means(a[:, None], b[:, None], groups, 2000, 3)[0]
    assert 0 < estimate.p <= 1
    assert estimate.low <= estimate.high
    if abs(estimate.p - 0.05) > 0.01 and len(set(groups.tolist())) > 7:
        assert (estimate.p < 0.05) == (estimate.low > 0 or estimate.high < 0)


def divide(sums: np.ndarray) -> np.ndarray:
    """Return a corpus metric that is a ratio of two sums."""
    return sums[:, 0] / sums[:, 1]


def test_an_arm_against_itself_is_exactly_zero() -> None:
    a = np.random.default_rng(0).random((30, 5))
    zero = significance.EQUAL
    assert paired_means(a, a, np.arange(30), 100, 1) == [zero] * 5
    assert paired_corpora(a, a.copy(), np.arange(30), [((0, 1), divide)], 100, 1)[0][2] == zero


def test_one_group_shows_nothing() -> None:
    estimate = paired_means(np.ones((4, 1)), np.zeros((4, 1)), np.zeros(4, dtype=int), 100, 1)[0]
    assert (estimate.difference, estimate.p) == (1.0, 1.0)


def test_items_without_a_score_are_left_out_of_both_arms() -> None:
    a, b = np.array([[1.0], [np.nan], [3.0], [9.0]]), np.array([[0.0], [5.0], [1.0], [np.nan]])
    assert paired_means(a, b, np.arange(4), 100, 1)[0].difference == 1.5
    assert wins_ties_losses(a[:, 0], b[:, 0]) == (2, 0, 0)


def test_a_ratio_as_corpus_metric_equals_a_slow_bootstrap() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.integers(1, 20, (25, 2)).astype(float), rng.integers(1, 20, (25, 2)).astype(float)
    groups = rng.integers(0, 8, 25)
    score_a, score_b, fast = paired_corpora(a, b, groups, [((0, 1), divide)], 400, 11)[0]
    picker, labels = np.random.default_rng(11), np.unique(groups)
    slow = []
    for _ in range(400):
        rows = np.concatenate(
            [np.flatnonzero(groups == labels[g]) for g in picker.integers(0, len(labels), (1, len(labels)))[0]]
        )
        slow.append(a[rows, 0].sum() / a[rows, 1].sum() - b[rows, 0].sum() / b[rows, 1].sum())
    assert (score_a, score_b) == pytest.approx((a[:, 0].sum() / a[:, 1].sum(), b[:, 0].sum() / b[:, 1].sum()))
    assert fast == pytest.approx(significance.estimate(score_a - score_b, np.array(slow), len(labels)))


def test_wins_ties_and_losses_ignore_rounding() -> None:
    assert wins_ties_losses(np.array([1.0, 0.1 + 0.2, 0.0]), np.array([0.0, 0.3, 1.0])) == (1, 1, 1)


def test_the_smallest_difference_is_found_in_four_of_five_trials() -> None:
    rng = np.random.default_rng(12)
    items, trials = 150, 1000
    smallest = significance.find_smallest(1 / np.sqrt(items), items - 1)
    assert smallest == pytest.approx(2.82 / np.sqrt(items), rel=0.01)
    scores = rng.normal(smallest, 1, (items, trials))
    estimates = paired_means(scores, np.zeros_like(scores), np.arange(items), 1000, 1)
    assert np.mean([estimate.p < 0.05 for estimate in estimates]) == pytest.approx(0.8, abs=0.04)
    assert np.mean([estimate.detectable for estimate in estimates]) == pytest.approx(smallest, rel=0.01)


def test_one_group_could_have_shown_nothing() -> None:
    assert paired_means(np.ones((4, 1)), np.zeros((4, 1)), np.zeros(4, dtype=int), 100, 1)[0].detectable is None


def test_corpus_metrics_together_equal_each_alone() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.integers(1, 20, (30, 3)).astype(float), rng.integers(1, 20, (30, 3)).astype(float)
    b[:, 2] = a[:, 2]
    groups = rng.integers(0, 9, 30)

    def total(sums: np.ndarray) -> np.ndarray:
        return sums[:, 0]

    both = paired_corpora(a, b, groups, [([1, 0], divide), ([2], total)], 300, 4)
    assert [both[0]] == paired_corpora(a[:, [1, 0]], b[:, [1, 0]], groups, [((0, 1), divide)], 300, 4)
    assert both[1] == (a[:, 2].sum(), a[:, 2].sum(), significance.EQUAL)
