"""Intervals of a mean difference of NDCG over users whose parts share users and products, and over runs.

The primitive is what the hits of a user's list on the items of one product add to the difference of NDCG, a − b. Parts
of one user are not independent, since items compete for the places of a list; nor are those of one product, since one
text, right or wrong, reaches all its buyers. So the variance of the mean is that of two-way clusters (Cameron, Gelbach
and Miller 2011, "Robust inference with multiway clustering"): V(users) + V(products) − V(user × product); where that
falls below the larger of the first two, the larger one. What runs add is in `find_error`.

Few products make the variance uncertain, or few on which the arms differ: Student's t has as many degrees of freedom
as products add to the difference, less one. What both arms hit alike adds nothing to it, and does not count.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr

from lookbook.comparison.power import find_detectable, find_margin
from lookbook.comparison.significance import EQUAL, Estimate

TINY = 1e-12  # contributions below it are rounding: they count as zero


@dataclass(frozen=True)
class Differences:
    """The parts of a difference a − b: a row for each user and product that a list of either arm hits.

    Attributes:
        user: (n,) numbers.
        product: (n,) numbers.
        values: (n, n_runs), what the product's items add to the difference of the user's NDCG.
        n_users: users that the mean is over, with those whose lists hit nothing.
        n_products: products that lists could hit, at least those that they do.
    """

    user: np.ndarray
    product: np.ndarray
    values: np.ndarray
    n_users: int
    n_products: int


def estimate_difference(differences: Differences) -> Estimate:
    """Estimate the mean difference with its 95 % interval, the p of its t statistic, and what it could have shown.

    Where the arms differ on one product alone, or hit none, nothing is known: the interval is [−1, 1], the range of
    NDCG's differences.

    Args:
        differences: the parts of the difference.
    """
    values, n_changed = differences.values, count_changed(differences)
    difference = float(values.sum() / max(1, values.shape[1]) / differences.n_users)
    if len(values) and not (np.abs(values) > TINY).any():
        return EQUAL
    error, freedom = find_error(differences) if n_changed > 1 and differences.n_users > 1 else (0.0, 0.0)
    if error == 0:
        return Estimate(difference, -1.0, 1.0, 1.0, None)
    margin = find_margin(error, freedom)
    low, high = max(-1.0, difference - margin), min(1.0, difference + margin)
    p = 2 * stdtr(freedom, -abs(difference) / error)
    return Estimate(difference, low, high, float(p), find_detectable(margin, error, freedom))


def count_changed(differences: Differences) -> int:
    """Count the products on which the arms differ in any run."""
    changed = (np.abs(differences.values) > TINY).any(axis=1)
    return len(np.unique(differences.product[changed]))


def find_error(differences: Differences) -> tuple[float, float]:
    """Return the standard error of the mean difference, and the degrees of freedom behind it.

    With several runs that differ, the variance between the run means over their number is added, which holds the noise
    of single runs; that noise is taken out of the variance over users and products, where it is too.
    """
    values = differences.values
    freedom = count_changed(differences) - 1.0
    whole = find_two_way_variance(differences, values.mean(axis=1))
    n_runs = values.shape[1]
    of_runs = values.sum(axis=0) / differences.n_users
    if n_runs < 2 or np.ptp(of_runs) <= TINY * np.abs(of_runs).max():
        return float(np.sqrt(whole)), freedom
    rest = values - values.mean(axis=1, keepdims=True)
    noise = sum(find_two_way_variance(differences, rest[:, run]) for run in range(n_runs)) / n_runs / (n_runs - 1)
    between = float(of_runs.var(ddof=1)) / n_runs
    within = max(0.0, whole - noise)
    return float(np.sqrt(within + between)), min(freedom, degrees_of_freedom(within / between, n_runs))


def find_two_way_variance(differences: Differences, values: np.ndarray) -> float:
    """Return the variance of the sum of values over the number of users, clustered by user and by product.

    Args:
        differences: whose the users and products are.
        values: (n,).
    """
    n_users, n_products = differences.n_users, differences.n_products
    total = values.sum()
    by_user = sum_by(differences.user, values)
    by_product = sum_by(differences.product, values)
    users = ((by_user**2).sum() - total**2 / n_users) * n_users / (n_users - 1)
    products = ((by_product**2).sum() - total**2 / n_products) * n_products / (n_products - 1)
    cells = (values**2).sum() - total**2 / (n_users * n_products)
    return float(max(users + products - cells, users, products, 0.0)) / n_users**2


def sum_by(labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sum the values of each label: (n_labels,), without empty ones.

    >>> sum_by(np.array([7, 3, 7]), np.array([1.0, 2.0, 4.0])).tolist()
    [2.0, 5.0]
    """
    _, codes = np.unique(labels, return_inverse=True)
    return np.bincount(codes, values)


def degrees_of_freedom(ratio: float, n_runs: int) -> float:
    """Return the degrees of freedom of a t statistic whose variance is partly that of a few run means.

    The part A of users and products is known well, the part B of runs by f = runs − 1 degrees of freedom; with
    r = A / B a t-test needs

        f (1 + 2 (1 - 2 / f) r + 0.8 r²)        for three runs and more,        1 + 0.1 r²        for two.

    This is Satterthwaite's formula (1946), f (1 + 2 r + r²), with smaller terms: with three runs, his formula lets the
    level go up to 7.8 %. This formula stays within 4.6 to 5.4 % for three and more, within 3.6 to 6.6 % for two, at
    every r (tests/lookbook/comparison/test_clusters.py computes it).

    Args:
        ratio: r.
        n_runs: the number of runs, at least 2.
    """
    f = n_runs - 1
    freedom = 1 + 0.1 * ratio**2 if f == 1 else f * (1 + 2 * (1 - 2 / f) * ratio + 0.8 * ratio**2)
    return min(freedom, 1e9)  # beyond, a normal distribution
