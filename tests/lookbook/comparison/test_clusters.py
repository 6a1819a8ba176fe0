"""Two-way clustered intervals: a slow definition, one-way limits, runs, symmetry, what is unknown."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, norm
from scipy.stats import t as student

from lookbook.comparison import clusters
from lookbook.comparison.clusters import Differences, estimate_difference, find_error, find_two_way_variance
from lookbook.comparison.significance import EQUAL

VALUES = st.floats(-1, 1).map(lambda value: round(value, 3))
parts = st.dictionaries(st.tuples(st.integers(0, 5), st.integers(0, 4)), VALUES, min_size=3, max_size=20)


def build_differences(table: np.ndarray) -> Differences:
    """Return the parts of a table of values, without empty ones: (users, products, runs)."""
    user, product = np.nonzero(np.abs(table).sum(axis=2))
    return Differences(user, product, table[user, product], table.shape[0], table.shape[1])


def random_table(seed: int, shape: tuple[int, int, int], share: float = 0.4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0.1, 1, shape) * (rng.random(shape[:2]) < share)[:, :, None]


def slow_variance(table: np.ndarray) -> float:
    """Sum the products of residuals of all pairs of cells that share a user or a product (Cameron et al., eq. 2.3)."""
    n_users, n_products = table.shape
    residual = table - table.mean()
    by_user = by_product = by_both = 0.0
    for u, p in np.ndindex(table.shape):
        by_user += sum(residual[u, p] * residual[u, other] for other in range(n_products))
        by_product += sum(residual[u, p] * residual[other, p] for other in range(n_users))
        by_both += residual[u, p] ** 2
    by_user *= n_users / (n_users - 1)
    by_product *= n_products / (n_products - 1)
    return max(by_user + by_product - by_both, by_user, by_product) / n_users**2


@settings(max_examples=60, deadline=None)
@given(parts)
def test_the_variance_equals_a_slow_definition(cells: dict[tuple[int, int], float]) -> None:
    table = np.zeros((7, 6))
    for cell, value in cells.items():
        table[cell] = value
    differences = build_differences(table[:, :, None])
    fast = find_two_way_variance(differences, differences.values[:, 0])
    assert fast == pytest.approx(slow_variance(table))


def test_one_product_a_user_is_the_variance_of_products() -> None:
    """Users of one product share its text: they are one observation."""
    rng = np.random.default_rng(1)
    table = np.zeros((60, 12, 1))
    table[np.arange(60), np.repeat(np.arange(12), 5), 0] = np.repeat(rng.normal(0, 1, 12), 5)
    error, freedom = find_error(build_differences(table))
    sums = table.sum(axis=(0, 2))
    assert error == pytest.approx(np.sqrt(12 * sums.var(ddof=1)) / 60)
    assert freedom == 11


def test_a_product_a_user_is_the_paired_t_test() -> None:
    """Nobody shares a product, so the interval is that of a t-test of the users' differences."""
    rng = np.random.default_rng(2)
    values = rng.normal(0.2, 1, 50)
    differences = Differences(np.arange(50), np.arange(50), values[:, None], 50, 50)
    estimate = estimate_difference(differences)
    margin = student.ppf(0.975, 49) * values.std(ddof=1) / np.sqrt(50)
    assert (estimate.low, estimate.high) == pytest.approx((values.mean() - margin, values.mean() + margin))
    t = values.mean() / (values.std(ddof=1) / np.sqrt(50))
    assert estimate.p == pytest.approx(2 * student.sf(abs(t), 49))


@settings(max_examples=60, deadline=None)
@given(parts)
def test_a_minus_b_is_minus_b_minus_a(cells: dict[tuple[int, int], float]) -> None:
    table = np.zeros((6, 5, 1))
    for cell, value in cells.items():
        table[cell] = value / table.shape[1]  # so that no user has an NDCG above 1
    forth = estimate_difference(build_differences(table))
    back = estimate_difference(build_differences(-table))
    assert (forth.difference, forth.low, forth.high, forth.p) == pytest.approx(
        (-back.difference, -back.high, -back.low, back.p)
    )
    assert forth.low <= forth.difference <= forth.high
    if forth.low > -1 and forth.high < 1 and abs(forth.p - 0.05) > 1e-6:
        assert (forth.p < 0.05) == (forth.low > 0 or forth.high < 0)


def test_labels_do_not_matter() -> None:
    differences = build_differences(random_table(3, (40, 15, 3)))
    rng = np.random.default_rng(4)
    order = rng.permutation(len(differences.values))
    users, products = rng.permutation(1000)[:40], rng.permutation(1000)[:15]
    renamed = replace(
        differences,
        user=users[differences.user][order],
        product=products[differences.product][order],
        values=differences.values[order],
    )
    assert estimate_difference(renamed) == pytest.approx(estimate_difference(differences))


def test_equal_arms_differ_by_nothing_and_no_hits_say_nothing() -> None:
    equal = Differences(np.array([0, 1]), np.array([0, 1]), np.zeros((2, 3)), 5, 4)
    assert estimate_difference(equal) == EQUAL
    no_hits = Differences(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 3)), 5, 4)
    assert estimate_difference(no_hits) == (0.0, -1.0, 1.0, 1.0, None)
    one_product = Differences(np.array([0, 1]), np.array([2, 2]), np.ones((2, 1)), 4, 3)
    assert estimate_difference(one_product) == (0.5, -1.0, 1.0, 1.0, None)


def test_products_that_both_arms_hit_alike_change_nothing() -> None:
    """Their parts of a difference are zero, and few products that differ stay few."""
    few = Differences(np.arange(6), np.array([0, 0, 1, 1, 2, 2]), np.ones((6, 1)), 40, 30)
    alike = Differences(np.arange(30), np.append(few.product, np.arange(6, 30)), np.zeros((30, 1)), 40, 30)
    alike.values[:6] = 1
    assert estimate_difference(alike) == estimate_difference(few)
    alike.values[2:6] = 0
    assert estimate_difference(alike) == (pytest.approx(2 / 40), -1.0, 1.0, 1.0, None)


def test_runs_that_agree_count_as_one() -> None:
    table = random_table(5, (60, 20, 1))
    single, copies = (estimate_difference(build_differences(np.repeat(table, n, axis=2))) for n in (1, 3))
    assert copies == pytest.approx(single)


def test_runs_that_differ_widen_the_interval() -> None:
    table = random_table(6, (200, 40, 3))
    apart = table * (1 + np.array([-0.9, 0.0, 0.9]))
    calm, wild = (estimate_difference(build_differences(values)) for values in (table, apart))
    assert wild.high - wild.low > 1.3 * (calm.high - calm.low)


def test_the_parts_of_the_error_add_up_to_the_variance_of_the_mean() -> None:
    """By simulation: users, products, runs and the noise of single runs, each with a share."""
    rng = np.random.default_rng(7)
    estimates, means = [], []
    for _ in range(600):
        table = rng.normal(0, 1, (30, 25, 3)) + rng.normal(0, 0.3, (30, 1, 1)) + rng.normal(0, 0.5, (1, 25, 1))
        table = table + rng.normal(0, 0.05, (1, 1, 3))
        means.append(table.sum() / 30 / 3)
        estimates.append(find_error(build_differences(table))[0] ** 2)
    assert np.mean(estimates) == pytest.approx(np.var(means), rel=0.12)


def test_the_smallest_difference_is_found_in_four_of_five_trials() -> None:
    """Where users and products add up, without a competition for places."""
    rng = np.random.default_rng(8)
    users, products = 40, 30

    def draw(difference: float) -> Differences:
        table = rng.normal(0, 1, (users, products)) + rng.normal(0, 0.3, (users, 1)) + rng.normal(0, 0.6, products)
        return build_differences(table[:, :, None] + difference / products)

    smallest = np.mean([estimate_difference(draw(0.0)).detectable for _ in range(200)])
    estimates = [estimate_difference(draw(float(smallest))) for _ in range(800)]
    assert np.mean([estimate.low > 0 for estimate in estimates]) == pytest.approx(0.8, abs=0.04)
    assert np.mean([estimate.detectable for estimate in estimates]) == pytest.approx(smallest, rel=0.02)


@pytest.mark.parametrize(("runs", "lowest", "highest"), [(2, 0.036, 0.066), (3, 0.046, 0.054), (5, 0.048, 0.052)])
def test_degrees_of_freedom_hold_the_level_for_every_share_of_runs(runs: int, lowest: float, highest: float) -> None:
    """Integrates the chance of |T| > t(0.975) over the estimate of the runs' part; the other part is known."""
    f = runs - 1
    estimates = chi2.ppf((np.arange(1000) + 0.5) / 1000, f) / f
    for others in (0.0, 0.01, 0.1, 0.3, 0.5, 1.0, 2.0, 5.0, 20.0, 100.0):  # the runs' part is 1
        freedom = [clusters.degrees_of_freedom(others / of_runs, runs) for of_runs in estimates]
        limit = student.ppf(0.975, freedom) * np.sqrt(others + estimates)
        level = 2 * norm.sf(limit / np.sqrt(others + 1)).mean()
        assert lowest <= level <= highest
