"""Paired bootstrap over groups, over users and runs; Holm's correction; wins, ties and losses.

What is resampled are whole groups (items of one product are not independent) or users. A draw is a vector of
counts, so that all draws of all metrics are one matrix product, in blocks of bounded memory:
(draws, groups) x (groups, columns). Same seed, same number of groups: same draws.

Interval: percentiles, set a little wider so that few groups do not make it too narrow (Hesterberg 2015, "What
teachers should know about the bootstrap", expanded percentiles: Student's t instead of the normal, n - 1 instead
of n). p: two-sided, 2 min(1 + draws <= 0, 1 + draws >= 0) / (draws + 1), widened in the same way, so that
p < 0.05 where the 95 % interval leaves out zero; never 0. With three groups or fewer the interval is the range of the
draws and p stays above 0.05 whatever the data.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

BLOCK = 1 << 22  # counts held at once: 32 MiB
LEVEL = 0.95
TINY = 1e-12  # differences below this share of the largest are rounding: they count as zero

CorpusMetric = Callable[[np.ndarray], np.ndarray]  # sums of statistics (draws, k) -> scores (draws,)


class Estimate(NamedTuple):
    """A difference a - b, its 95 % interval and two-sided p."""

    difference: float
    low: float
    high: float
    p: float


def group_sums(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Sums of the rows of each group, groups in sorted order: (n, k) -> (n_groups, k)."""
    labels, place = np.unique(groups, return_inverse=True)
    sums = np.zeros((len(labels), values.shape[1]))
    np.add.at(sums, place, values)
    return sums


def resampled_sums(sums: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Column sums of `draws` resamples of the rows, as many as there are, with replacement: (n, k) -> (draws, k)."""
    n = len(sums)
    rng = np.random.default_rng(seed)
    block = max(1, BLOCK // n)
    out = np.empty((draws, sums.shape[1]))
    for start in range(0, draws, block):
        size = min(block, draws - start)
        picked = rng.integers(0, n, (size, n))
        picked += n * np.arange(size)[:, None]  # a range of its own for every draw
        counts = np.bincount(picked.ravel(), minlength=size * n).reshape(size, n)
        out[start : start + size] = counts.astype(np.float64) @ sums
    return out


def estimate(difference: float, drawn: np.ndarray, groups: int) -> Estimate:
    """The interval and p of a difference from its bootstrap draws.

    Args:
        drawn: the difference in every draw: (draws,).
        groups: how many independent units were resampled.
    """
    largest = max(abs(difference), float(np.abs(drawn).max()))
    drawn = np.where(np.abs(drawn) <= TINY * largest, 0.0, drawn)
    if groups < 2 or not drawn.any():  # one unit says nothing about spread; equal arms differ by nothing
        return Estimate(float(difference), float(drawn.min()), float(drawn.max()), 1.0)
    tail = float(ndtr(np.sqrt(groups / (groups - 1)) * stdtrit(groups - 1, (1 - LEVEL) / 2)))
    low, high = np.quantile(drawn, [tail, 1 - tail])
    rarer = 1 + min(np.count_nonzero(drawn <= 0), np.count_nonzero(drawn >= 0))
    one_sided = min(0.5, rarer / (len(drawn) + 1))
    p = 2 * stdtr(groups - 1, np.sqrt((groups - 1) / groups) * ndtri(one_sided))
    return Estimate(float(difference), float(low), float(high), float(p))


def paired_means(a: np.ndarray, b: np.ndarray, groups: np.ndarray, draws: int, seed: int) -> list[Estimate]:
    """The difference of the means of every column, groups of rows resampled; all columns share the draws.

    Args:
        a, b: scores of the same items by two arms, NaN where an item has no score: (n, k).
        groups: the group of every item: (n,).
    Returns:
        An estimate a column, over the items that both arms have.
    """
    both = np.isfinite(a) & np.isfinite(b)
    differences = np.where(both, a - b, 0.0)
    sums = group_sums(np.hstack([differences, both]), groups)
    drawn = resampled_sums(sums, draws, seed)
    k = a.shape[1]
    labels = np.asarray(groups)
    return [
        _mean_estimate(sums[:, [j, k + j]], drawn[:, [j, k + j]], len(np.unique(labels[both[:, j]]))) for j in range(k)
    ]


def _mean_estimate(sums: np.ndarray, drawn: np.ndarray, groups: int) -> Estimate:
    total, items = sums.sum(axis=0)
    some = drawn[:, 1] > 0  # a draw may miss every item that has a score, where few have one
    return estimate(total / items, drawn[some, 0] / drawn[some, 1], groups)


def paired_corpus(
    a: np.ndarray, b: np.ndarray, groups: np.ndarray, metric: CorpusMetric, draws: int, seed: int
) -> tuple[float, float, Estimate]:
    """The difference of a corpus metric, recomputed from the summed statistics of every draw.

    Args:
        a, b: sufficient statistics of the same items by two arms: (n, k).
        metric: sums (draws, k) -> scores (draws,), such as corpus BLEU-4.
    Returns:
        The metric of a, the metric of b, and the estimate of their difference.
    """
    k = a.shape[1]
    sums = group_sums(np.hstack([a, b]), groups)
    whole = sums.sum(axis=0, keepdims=True)
    score_a, score_b = float(metric(whole[:, :k])[0]), float(metric(whole[:, k:])[0])
    drawn = resampled_sums(sums, draws, seed)
    if np.array_equal(a, b):
        return score_a, score_b, Estimate(0.0, 0.0, 0.0, 1.0)
    difference = metric(drawn[:, :k]) - metric(drawn[:, k:])
    return score_a, score_b, estimate(score_a - score_b, difference, len(sums))


def paired_users_and_runs(differences: Sequence[np.ndarray], draws: int, seed: int) -> list[Estimate]:
    """Differences of two recommenders on the same users, each over one run or several.

    A draw resamples the users (differences averaged over runs) and adds a draw of the spread between runs.
    Three runs are too few to resample: 2 of 3 draws of them would repeat a run, and their spread comes out a third
    too small. Their spread is estimated instead (two-way analysis of variance: what the run means differ by beyond
    the noise of single users) and drawn with the tails of Student's t on runs - 1 degrees of freedom.

    Args:
        differences: a (users, runs) array per comparison; all have the same users, runs may differ. Runs are paired
            by their number; the one run of a deterministic recommender stands against every run of the other.
    Returns:
        An estimate a comparison. One run: its interval knows nothing of the spread between runs.
    """
    users = len(differences[0])
    by_user = np.column_stack([difference.mean(axis=1) for difference in differences])  # (users, comparisons)
    drawn = resampled_sums(by_user, draws, seed) / users
    means = by_user.mean(axis=0)
    return [
        estimate(means[j], drawn[:, j] + _run_spread(difference, draws, seed), users)
        for j, difference in enumerate(differences)
    ]


def _run_spread(difference: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Draws of the mean's deviation that is due to the runs: (users, runs) -> (draws,). Odd in the difference."""
    users, runs = difference.shape
    by_run = difference.mean(axis=0)
    deviation = by_run - by_run.mean()
    between = float(deviation @ deviation) / max(1, runs - 1)  # variance of run means, their noise included
    if runs < 2 or users < 2 or between == 0:
        return np.zeros(draws)
    residual = difference - difference.mean(axis=1, keepdims=True) - deviation
    noise = float((residual**2).sum()) / ((users - 1) * (runs - 1)) / users
    rng = np.random.default_rng([seed, runs])
    normal = rng.standard_normal((draws, runs)) @ deviation / np.sqrt(runs * (runs - 1))
    tails = np.sqrt(rng.chisquare(runs - 1, draws) / (runs - 1))
    return np.sqrt(max(0.0, 1 - noise / between)) * normal / tails


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979), in the order given: the chance of any false alarm among the rows stays at the level."""
    order = np.argsort(p, kind="stable")
    factors = len(p) - np.arange(len(p))
    corrected = np.minimum(1.0, np.maximum.accumulate(np.asarray(p, dtype=float)[order] * factors))
    out = np.empty(len(p))
    out[order] = corrected
    return out.tolist()


def correct_rows(rows: list[dict[str, Any]]) -> None:
    """Adds `p_holm`: over the confirmatory rows of one metric in this table; null elsewhere.

    Rows that are the same by construction are no tests: they do not count among the rows corrected for.
    """
    for metric in dict.fromkeys(row["metric"] for row in rows):
        tested = [
            row
            for row in rows
            if row["metric"] == metric and row["confirmatory"] and not row.get("same_by_construction")
        ]
        for row, p in zip(tested, holm([row["p"] for row in tested]), strict=True):
            row["p_holm"] = p
    for row in rows:
        row.setdefault("p_holm", None)


def wins_ties_losses(a: np.ndarray, b: np.ndarray) -> tuple[int, int, int]:
    """On how many items a is above, equal to (within rounding) and below b; items that lack a score do not count."""
    both = np.isfinite(a) & np.isfinite(b)
    difference = a[both] - b[both]
    wins, losses = int((difference > TINY).sum()), int((difference < -TINY).sum())
    return wins, len(difference) - wins - losses, losses
