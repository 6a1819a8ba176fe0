"""Properties of the paired bootstrap: exact zeros, symmetry, right rates under the null, coverage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookbook import significance
from lookbook.significance import (
    group_sums,
    holm,
    paired_corpus,
    paired_means,
    paired_users_and_runs,
    resampled_sums,
    wins_ties_losses,
)

scores = st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.integers(0, 12)), min_size=3, max_size=30)


def slow_means(a: np.ndarray, b: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """The plain bootstrap, a draw at a time."""
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
    for some in (rows, shuffled):
        a, b, groups = (np.array(column) for column in zip(*some, strict=True))
        results.append(paired_means(a[:, None], b[:, None], groups, 200, 3)[0])
    assert results[0] == pytest.approx(results[1], abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(scores)
def test_interval_and_p_say_the_same(rows: list[tuple[float, float, int]]) -> None:
    a, b, groups = (np.array(column) for column in zip(*rows, strict=True))
    found = paired_means(a[:, None], b[:, None], groups, 2000, 3)[0]
    assert 0 < found.p <= 1
    assert found.low <= found.high
    if abs(found.p - 0.05) > 0.01 and len(set(groups.tolist())) > 7:
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_an_arm_against_itself_is_exactly_zero() -> None:
    a = np.random.default_rng(0).random((30, 5))
    zero = (0.0, 0.0, 0.0, 1.0)
    assert paired_means(a, a, np.arange(30), 100, 1) == [zero] * 5
    assert paired_corpus(a, a.copy(), np.arange(30), lambda sums: sums[:, 0] / sums[:, 1], 100, 1)[2] == zero
    assert paired_users_and_runs([np.zeros((30, 1)), np.zeros((30, 3))], 100, 1) == [zero, zero]


def test_one_group_shows_nothing() -> None:
    found = paired_means(np.ones((4, 1)), np.zeros((4, 1)), np.zeros(4, dtype=int), 100, 1)[0]
    assert (found.difference, found.p) == (1.0, 1.0)


def test_items_without_a_score_are_left_out_of_both_arms() -> None:
    a, b = np.array([[1.0], [np.nan], [3.0], [9.0]]), np.array([[0.0], [5.0], [1.0], [np.nan]])
    assert paired_means(a, b, np.arange(4), 100, 1)[0].difference == 1.5
    assert wins_ties_losses(a[:, 0], b[:, 0]) == (2, 0, 0)


def test_a_ratio_as_corpus_metric_equals_the_slow_way() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.integers(1, 20, (25, 2)).astype(float), rng.integers(1, 20, (25, 2)).astype(float)
    groups = rng.integers(0, 8, 25)
    score_a, score_b, found = paired_corpus(a, b, groups, lambda sums: sums[:, 0] / sums[:, 1], 400, 11)
    picker, labels = np.random.default_rng(11), np.unique(groups)
    slow = []
    for _ in range(400):
        rows = np.concatenate(
            [np.flatnonzero(groups == labels[g]) for g in picker.integers(0, len(labels), (1, len(labels)))[0]]
        )
        slow.append(a[rows, 0].sum() / a[rows, 1].sum() - b[rows, 0].sum() / b[rows, 1].sum())
    assert (score_a, score_b) == pytest.approx((a[:, 0].sum() / a[:, 1].sum(), b[:, 0].sum() / b[:, 1].sum()))
    assert found == pytest.approx(significance.estimate(score_a - score_b, np.array(slow), len(labels)))


def test_runs_are_odd_in_the_difference_and_widen_the_interval() -> None:
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 1, (300, 3))
    spread = noise + np.array([-0.3, 0.0, 0.4])
    calm, wild, mirrored = paired_users_and_runs([noise - noise.mean(axis=0), spread, -spread], 2000, 1)
    assert wild.high - wild.low > 1.5 * (calm.high - calm.low)
    assert mirrored == pytest.approx((-wild.difference, -wild.high, -wild.low, wild.p), abs=1e-9)


def test_holm_on_a_table_worked_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=20))
def test_holm_never_lowers_p_and_keeps_its_order(p: list[float]) -> None:
    corrected = np.array(holm(p))
    assert (corrected >= np.array(p) - 1e-15).all()
    assert (corrected <= 1).all()
    assert (np.diff(corrected[np.argsort(p, kind="stable")]) >= 0).all()


def test_wins_ties_and_losses_ignore_rounding() -> None:
    assert wins_ties_losses(np.array([1.0, 0.1 + 0.2, 0.0]), np.array([0.0, 0.3, 1.0])) == (1, 1, 1)


def rate(trials: int, fires: list[bool], expected: float) -> None:
    """Within three standard errors of the expected rate, and a little."""
    assert abs(np.mean(fires) - expected) < 3 * np.sqrt(expected * (1 - expected) / trials) + 0.01


def test_under_the_null_one_in_twenty_fires() -> None:
    rng = np.random.default_rng(8)
    fires = []
    for _ in range(1000):
        size = 120
        groups = np.repeat(np.arange(size), rng.integers(1, 9, size))
        effect = rng.exponential(1, len(groups)) + rng.normal(0, 1, size)[groups]
        swapped = effect * rng.choice([-1, 1], size)[groups]  # the coin falls once a group: its items belong together
        fires.append(paired_means(swapped[:, None], np.zeros((len(groups), 1)), groups, 1000, 1)[0].p < 0.05)
    rate(1000, fires, 0.05)


def test_intervals_cover_the_true_difference() -> None:
    rng = np.random.default_rng(9)
    covered = []
    for _ in range(1000):
        groups = np.repeat(np.arange(60), rng.integers(1, 9, 60))
        difference = 0.3 + rng.normal(0, 1, 60)[groups] + rng.exponential(1, len(groups)) - 1
        found = paired_means(difference[:, None], np.zeros((len(groups), 1)), groups, 1000, 1)[0]
        covered.append(found.low <= 0.3 <= found.high)
    rate(1000, covered, 0.95)


@pytest.mark.parametrize("between", [0.0, 0.5])
def test_two_sets_of_three_runs_of_one_recommender_seldom_differ(between: float) -> None:
    """Users are nearly all noise; `between` is the variance of a run's mean, in units of that noise in the mean."""
    rng = np.random.default_rng(10)
    users, fires = 300, []
    for _ in range(500):
        runs = rng.normal(0, np.sqrt(between / users), 3)
        fires.append(paired_users_and_runs([rng.normal(0, 1, (users, 3)) + runs], 1000, 1)[0].p < 0.05)
    assert np.mean(fires) < 0.09
