"""Paired bootstrap over groups, over users and runs; wins, ties and losses.

Whole groups are resampled (items of one product are not independent), or users. A draw is a vector of counts, so all
draws of all metrics are one matrix product, in blocks of bounded memory: (draws, groups) x (groups, columns). The same
seed and number of groups give the same draws.

Interval: percentiles, set a little wider so that few groups do not make it too narrow (Hesterberg 2015, "What
teachers should know about the bootstrap", expanded percentiles: Student's t instead of the normal, n - 1 instead
of n). p: two-sided, 2 min(1 + draws <= 0, 1 + draws >= 0) / (draws + 1), widened in the same way, so that
p < 0.05 where the 95 % interval leaves out zero; never 0. With three groups or fewer the interval is the range of the
draws, and p stays above 0.05 for any data.

Each estimate also has the smallest difference that the data could have shown (Bloom 1995, "Minimum detectable
effects"): what a two-sided test at 5 % finds with a power of 80 %, (t(0.975) + t(0.8)) times the standard error of the
draws. A test may well miss a true difference below it: "not significant" then means little.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

BLOCK = 1 << 22  # counts held at once: 32 MiB
LEVEL = 0.95
POWER = 0.8
TINY = 1e-12  # differences below this share of the largest are rounding: they count as zero

CorpusMetric = Callable[[np.ndarray], np.ndarray]  # sums of statistics (draws, k) -> scores (draws,)


class Estimate(NamedTuple):
    """A difference a - b, its 95 % interval and two-sided p.

    Attributes:
        detectable: the smallest true difference that a two-sided test at 5 % finds with a power of 80 %; None where
            there is one independent unit only.
    """

    difference: float
    low: float
    high: float
    p: float
    detectable: float | None


EQUAL = Estimate(0.0, 0.0, 0.0, 1.0, 0.0)  # an arm compared with itself


class Spread(NamedTuple):
    """The standard error of a difference, and the degrees of freedom behind it."""

    error: float
    freedom: float


def group_sums(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Sum the rows of each group, groups in sorted order: (n, k) -> (n_groups, k)."""
    labels, group_index = np.unique(groups, return_inverse=True)
    sums = np.zeros((len(labels), values.shape[1]))
    np.add.at(sums, group_index, values)
    return sums


def resampled_sums(sums: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Draw n of the n rows with replacement, `draws` times, and sum the columns: (n, k) -> (draws, k)."""
    n = len(sums)
    rng = np.random.default_rng(seed)
    block = max(1, BLOCK // n)
    out = np.empty((draws, sums.shape[1]))
    for start in range(0, draws, block):
        size = min(block, draws - start)
        rows = rng.integers(0, n, (size, n))
        rows += n * np.arange(size)[:, None]  # a range of its own for every draw
        counts = np.bincount(rows.ravel(), minlength=size * n).reshape(size, n)
        out[start : start + size] = counts.astype(np.float64) @ sums
    return out


def estimate(difference: float, samples: np.ndarray, groups: int, spread: Spread | None = None) -> Estimate:
    """Estimate the interval and p of a difference from its bootstrap draws.

    Args:
        difference: The difference on the data itself.
        samples: The difference in every draw: (draws,).
        groups: The number of independent units that were resampled.
        spread: A better estimate of the spread than the standard deviation of the draws, where there is one.
    """
    largest = max(abs(difference), float(np.abs(samples).max()))
    samples = np.where(np.abs(samples) <= TINY * largest, 0.0, samples)
    if groups < 2 or not samples.any():  # one unit has no spread; equal arms differ by nothing
        return Estimate(float(difference), float(samples.min()), float(samples.max()), 1.0, None if groups < 2 else 0.0)
    tail = float(ndtr(np.sqrt(groups / (groups - 1)) * stdtrit(groups - 1, (1 - LEVEL) / 2)))
    low, high = np.quantile(samples, [tail, 1 - tail])
    rarer = 1 + min(np.count_nonzero(samples <= 0), np.count_nonzero(samples >= 0))
    one_sided = min(0.5, rarer / (len(samples) + 1))
    p = 2 * stdtr(groups - 1, np.sqrt((groups - 1) / groups) * ndtri(one_sided))
    spread = spread or Spread(float(samples.std()) * np.sqrt(groups / (groups - 1)), groups - 1)
    return Estimate(float(difference), float(low), float(high), float(p), detectable(spread))


def detectable(spread: Spread) -> float:
    """Return the smallest true difference that a two-sided test at 5 % finds with a power of 80 %."""
    return float((stdtrit(spread.freedom, (1 + LEVEL) / 2) + stdtrit(spread.freedom, POWER)) * spread.error)


def paired_means(a: np.ndarray, b: np.ndarray, groups: np.ndarray, draws: int, seed: int) -> list[Estimate]:
    """Compare the means of every column by resampling groups of rows; all columns share the draws.

    Args:
        a: Scores of the first arm, NaN where an item has no score: (n, k).
        b: Scores of the second arm on the same items: (n, k).
        groups: The group of every item: (n,).
        draws: The number of bootstrap draws.
        seed: The seed of the draws.

    Returns:
        An estimate of a - b for each column, over the items that both arms have a score for.

    With three groups the interval is the range of the draws, here the smallest and the largest difference:

    >>> a, b = np.array([[0.5], [0.7], [0.9]]), np.array([[0.4], [0.5], [0.6]])
    >>> [estimate] = paired_means(a, b, groups=np.array([1, 2, 3]), draws=1000, seed=0)
    >>> round(estimate.difference, 6), round(estimate.low, 6), round(estimate.high, 6)
    (0.2, 0.1, 0.3)
    >>> estimate.p > 0.05
    True
    """
    both = np.isfinite(a) & np.isfinite(b)
    differences = np.where(both, a - b, 0.0)
    sums = group_sums(np.hstack([differences, both]), groups)
    samples = resampled_sums(sums, draws, seed)
    k = a.shape[1]
    labels = np.asarray(groups)
    return [
        _estimate_mean(sums[:, [j, k + j]], samples[:, [j, k + j]], len(np.unique(labels[both[:, j]])))
        for j in range(k)
    ]


def _estimate_mean(sums: np.ndarray, samples: np.ndarray, groups: int) -> Estimate:
    total, items = sums.sum(axis=0)
    not_empty = samples[:, 1] > 0  # a draw may miss every item that has a score, where few have one
    return estimate(total / items, samples[not_empty, 0] / samples[not_empty, 1], groups)


def paired_corpora(
    a: np.ndarray,
    b: np.ndarray,
    groups: np.ndarray,
    metrics: Sequence[tuple[Sequence[int], CorpusMetric]],
    draws: int,
    seed: int,
) -> list[tuple[float, float, Estimate]]:
    """Compare corpus metrics, recomputed from the summed statistics of every draw; all share the draws.

    Args:
        a: Sufficient statistics of the items by the first arm: (n, k).
        b: Sufficient statistics of the same items by the second arm: (n, k).
        groups: The group of every item: (n,).
        metrics: The columns that a metric is made of, and the metric: sums (draws, columns) -> scores (draws,), such as
            corpus BLEU-4.
        draws: The number of bootstrap draws.
        seed: The seed of the draws.

    Returns:
        For each metric its value in a, its value in b, and the estimate of their difference.
    """
    k = a.shape[1]
    sums = group_sums(np.hstack([a, b]), groups)
    whole = sums.sum(axis=0, keepdims=True)
    samples = resampled_sums(sums, draws, seed)
    results = []
    for columns, metric in metrics:
        of_a, of_b = list(columns), [k + column for column in columns]
        score_a, score_b = float(metric(whole[:, of_a])[0]), float(metric(whole[:, of_b])[0])
        differences = metric(samples[:, of_a]) - metric(samples[:, of_b])
        same = np.array_equal(a[:, of_a], b[:, of_a])
        results.append((score_a, score_b, EQUAL if same else estimate(score_a - score_b, differences, len(sums))))
    return results


def paired_corpus(
    a: np.ndarray, b: np.ndarray, groups: np.ndarray, metric: CorpusMetric, draws: int, seed: int
) -> tuple[float, float, Estimate]:
    """Compare one corpus metric that is made of all columns; see `paired_corpora`."""
    return paired_corpora(a, b, groups, [(range(a.shape[1]), metric)], draws, seed)[0]


def paired_users_and_runs(differences: Sequence[np.ndarray], draws: int, seed: int) -> list[Estimate]:
    """Compare two recommenders on the same users, over one run or several: users and runs are both drawn.

    A draw resamples the users, and adds a draw of the runs' mean. Three runs are too few to resample: 2 of 3 draws
    would repeat a run, and their spread would be a third too small. The runs' part is drawn from a normal distribution
    with the observed variance, and the sum gets the tails of Student's t that so few runs need (`run_spread`).

    Args:
        differences: A (users, runs) array per comparison; all have the same users, the number of runs may differ. Runs
            are paired by their number; a deterministic recommender's only run is paired with every run of the other.
        draws: The number of bootstrap draws.
        seed: The seed of the draws.

    Returns:
        An estimate per comparison. With one run, its interval leaves out the spread between runs.
    """
    users = len(differences[0])
    by_user = np.column_stack([difference.mean(axis=1) for difference in differences])  # (users, comparisons)
    means = by_user.mean(axis=0)
    deviations = resampled_sums(by_user, draws, seed) / users - means
    return [
        _estimate_users_and_runs(difference, means[j], deviations[:, j], seed)
        for j, difference in enumerate(differences)
    ]


def _estimate_users_and_runs(difference: np.ndarray, mean: float, deviations: np.ndarray, seed: int) -> Estimate:
    """Estimate one comparison from the deviations of its mean in every draw of users: (draws,).

    Every term changes its sign with the difference, so that a - b and b - a are exact opposites.
    """
    users, runs = difference.shape
    of_runs = difference.mean(axis=0) - mean  # (runs,)
    if runs < 2 or users < 2 or not (np.abs(of_runs) > TINY * np.abs(difference).max()).any():
        return estimate(mean, mean + deviations, users)
    users_part, runs_part, freedom = run_spread(difference)
    ranks = np.random.default_rng([seed, runs]).permutation(len(deviations))
    normal = np.sign(of_runs[np.abs(of_runs).argmax()]) * ndtri((ranks + 0.5) / len(deviations))  # evenly spread
    both = runs_part * normal + (users_part / deviations.std() * deviations if deviations.any() else 0.0)
    error = float(np.hypot(users_part, runs_part))
    tails = np.sign(both) * -stdtrit(freedom, ndtr(-np.abs(both) / error))
    return estimate(mean, mean + error * tails, users, Spread(error, freedom))


def run_spread(difference: np.ndarray) -> tuple[float, float, float]:
    """Split the standard error of the mean difference into the users' and the runs' part; add the degrees of freedom.

    Two-way analysis of variance of (users, runs), at least two of each. The runs' part B is the variance of the run
    means over their number, the noise of single scores included; the users' part A is the variance of the user means,
    less that noise. A + B has the variance of the mean as its expectation. A is known well, B by `runs - 1` degrees of
    freedom f, and with r = A / B a t-test needs

        f (1 + 2 (1 - 2 / f) r + 0.8 r²)        for three runs and more,        1 + 0.1 r²        for two.

    This is Satterthwaite's formula (1946), f (1 + 2 r + r²), with smaller terms: with three runs, his formula lets the
    level go up to 7.8 %. This formula stays within 4.6 to 5.4 % for three and more, within 3.6 to 6.6 % for two, at
    every r (tests/lookbook/comparison/test_significance.py computes it).
    """
    users, runs = difference.shape
    by_user, by_run = difference.mean(axis=1), difference.mean(axis=0)
    residual = difference - by_user[:, None] - by_run + by_user.mean()
    noise = float((residual**2).sum()) / ((users - 1) * (runs - 1)) / (users * runs)
    of_users = max(0.0, float(by_user.var(ddof=1)) / users - noise)
    of_runs = float(by_run.var(ddof=1)) / runs
    return np.sqrt(of_users), np.sqrt(of_runs), degrees_of_freedom(of_users / of_runs, runs)


def degrees_of_freedom(ratio: float, runs: int) -> float:
    """Return the degrees of freedom of a t-test over users and runs; `run_spread` has the formula.

    Args:
        ratio: The variance that users add, over the variance that runs add.
        runs: The number of runs, at least 2.
    """
    f = runs - 1
    freedom = 1 + 0.1 * ratio**2 if f == 1 else f * (1 + 2 * (1 - 2 / f) * ratio + 0.8 * ratio**2)
    return min(freedom, 1e9)  # beyond, a normal distribution


def wins_ties_losses(a: np.ndarray, b: np.ndarray) -> tuple[int, int, int]:
    """Count the items on which a is above b, equal within rounding, and below b; items without a score are left out.

    >>> wins_ties_losses(np.array([0.9, 0.5, 0.2]), np.array([0.4, 0.5, 0.3]))
    (1, 1, 1)
    """
    both = np.isfinite(a) & np.isfinite(b)
    difference = a[both] - b[both]
    wins, losses = int((difference > TINY).sum()), int((difference < -TINY).sum())
    return wins, len(difference) - wins - losses, losses
