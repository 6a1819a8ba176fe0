"""Paired bootstrap over groups of items; wins, ties and losses.

Whole groups are resampled: items of one product are not independent. A draw is a vector of counts, so all
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


def estimate(difference: float, samples: np.ndarray, groups: int) -> Estimate:
    """Estimate the interval and p of a difference from its bootstrap draws.

    Args:
        difference: The difference on the data itself.
        samples: The difference in every draw: (draws,).
        groups: The number of independent units that were resampled.
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
    error = float(samples.std()) * np.sqrt(groups / (groups - 1))
    return Estimate(float(difference), float(low), float(high), float(p), find_smallest(error, groups - 1))


def find_smallest(error: float, freedom: float) -> float:
    """Return the smallest true difference that a two-sided test at 5 % finds with a power of 80 %.

    Args:
        error: The standard error of the difference.
        freedom: The degrees of freedom behind it.
    """
    return float((stdtrit(freedom, (1 + LEVEL) / 2) + stdtrit(freedom, POWER)) * error)


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


def wins_ties_losses(a: np.ndarray, b: np.ndarray) -> tuple[int, int, int]:
    """Count the items on which a is above b, equal within rounding, and below b; items without a score are left out.

    >>> wins_ties_losses(np.array([0.9, 0.5, 0.2]), np.array([0.4, 0.5, 0.3]))
    (1, 1, 1)
    """
    both = np.isfinite(a) & np.isfinite(b)
    difference = a[both] - b[both]
    wins, losses = int((difference > TINY).sum()), int((difference < -TINY).sum())
    return wins, len(difference) - wins - losses, losses
