"""Paired bootstrap over groups, over users and runs; Holm's correction; wins, ties and losses.

What is resampled are whole groups (items of one product are not independent) or users. A draw is a vector of
counts, so that all draws of all metrics are one matrix product, in blocks of bounded memory:
(draws, groups) x (groups, columns). Same seed, same number of groups: same draws.

Interval: percentiles, set a little wider so that few groups do not make it too narrow (Hesterberg 2015, "What
teachers should know about the bootstrap", expanded percentiles: Student's t instead of the normal, n - 1 instead
of n). p: two-sided, 2 min(1 + draws <= 0, 1 + draws >= 0) / (draws + 1), widened in the same way, so that
p < 0.05 where the 95 % interval leaves out zero; never 0. With three groups or fewer the interval is the range of the
draws and p stays above 0.05 whatever the data.

Beside them the smallest difference that the data could have shown (Bloom 1995, "Minimum detectable effects"): what a
two-sided test at 5 % finds with a power of 80 %, (t(0.975) + t(0.8)) standard errors, the standard error that of the
draws. A true difference below it may well be missed: "not significant" then says little.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

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
        detectable: the smallest true difference found with a power of 80 % at 5 %, two-sided; None where one unit is all.
    """

    difference: float
    low: float
    high: float
    p: float
    detectable: float | None


EQUAL = Estimate(0.0, 0.0, 0.0, 1.0, 0.0)  # of an arm and itself


class Spread(NamedTuple):
    """The standard error of a difference, and the degrees of freedom behind it."""

    error: float
    freedom: float


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


def estimate(difference: float, drawn: np.ndarray, groups: int, spread: Spread | None = None) -> Estimate:
    """The interval and p of a difference from its bootstrap draws.

    Args:
        drawn: the difference in every draw: (draws,).
        groups: how many independent units were resampled.
        spread: where it is known better than by the standard deviation of the draws.
    """
    largest = max(abs(difference), float(np.abs(drawn).max()))
    drawn = np.where(np.abs(drawn) <= TINY * largest, 0.0, drawn)
    if groups < 2 or not drawn.any():  # one unit says nothing about spread; equal arms differ by nothing
        return Estimate(float(difference), float(drawn.min()), float(drawn.max()), 1.0, None if groups < 2 else 0.0)
    tail = float(ndtr(np.sqrt(groups / (groups - 1)) * stdtrit(groups - 1, (1 - LEVEL) / 2)))
    low, high = np.quantile(drawn, [tail, 1 - tail])
    rarer = 1 + min(np.count_nonzero(drawn <= 0), np.count_nonzero(drawn >= 0))
    one_sided = min(0.5, rarer / (len(drawn) + 1))
    p = 2 * stdtr(groups - 1, np.sqrt((groups - 1) / groups) * ndtri(one_sided))
    spread = spread or Spread(float(drawn.std()) * np.sqrt(groups / (groups - 1)), groups - 1)
    return Estimate(float(difference), float(low), float(high), float(p), detectable(spread))


def detectable(spread: Spread) -> float:
    """The smallest true difference that a two-sided test at 5 % finds with a power of 80 %."""
    return float((stdtrit(spread.freedom, (1 + LEVEL) / 2) + stdtrit(spread.freedom, POWER)) * spread.error)


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


def paired_corpora(
    a: np.ndarray,
    b: np.ndarray,
    groups: np.ndarray,
    metrics: Sequence[tuple[Sequence[int], CorpusMetric]],
    draws: int,
    seed: int,
) -> list[tuple[float, float, Estimate]]:
    """Differences of corpus metrics, recomputed from the summed statistics of every draw; all share the draws.

    Args:
        a, b: sufficient statistics of the same items by two arms: (n, k).
        groups: the group of every item: (n,).
        metrics: the columns that a metric is made of, and the metric: sums (draws, columns) -> scores (draws,), such as
            corpus BLEU-4.

    Returns:
        For each metric its value in a, its value in b, and the estimate of their difference.
    """
    k = a.shape[1]
    sums = group_sums(np.hstack([a, b]), groups)
    whole = sums.sum(axis=0, keepdims=True)
    drawn = resampled_sums(sums, draws, seed)
    found = []
    for columns, metric in metrics:
        of_a, of_b = list(columns), [k + column for column in columns]
        score_a, score_b = float(metric(whole[:, of_a])[0]), float(metric(whole[:, of_b])[0])
        difference = metric(drawn[:, of_a]) - metric(drawn[:, of_b])
        same = np.array_equal(a[:, of_a], b[:, of_a])
        found.append((score_a, score_b, EQUAL if same else estimate(score_a - score_b, difference, len(sums))))
    return found


def paired_corpus(
    a: np.ndarray, b: np.ndarray, groups: np.ndarray, metric: CorpusMetric, draws: int, seed: int
) -> tuple[float, float, Estimate]:
    """`paired_corpora` of one metric, made of all columns."""
    return paired_corpora(a, b, groups, [(range(a.shape[1]), metric)], draws, seed)[0]


def paired_users_and_runs(differences: Sequence[np.ndarray], draws: int, seed: int) -> list[Estimate]:
    """Differences of two recommenders on the same users, each over one run or several: users and runs are both drawn.

    A draw resamples the users, and adds a draw of the runs' mean. Three runs are too few to resample: 2 of 3 draws would
    repeat a run, and their spread comes out a third too small. Their part is drawn from a normal distribution with the
    variance that was seen, and the whole is given the tails of Student's t that so few runs ask for (`run_spread`).

    Args:
        differences: a (users, runs) array per comparison; all have the same users, runs may differ. Runs are paired
            by their number; the one run of a deterministic recommender stands against every run of the other.
    Returns:
        An estimate a comparison. One run: its interval knows nothing of the spread between runs.
    """
    users = len(differences[0])
    by_user = np.column_stack([difference.mean(axis=1) for difference in differences])  # (users, comparisons)
    means = by_user.mean(axis=0)
    drawn = resampled_sums(by_user, draws, seed) / users - means
    return [_users_and_runs(one, means[j], drawn[:, j], seed) for j, one in enumerate(differences)]


def _users_and_runs(difference: np.ndarray, mean: float, drawn: np.ndarray, seed: int) -> Estimate:
    """The estimate of one comparison; `drawn`: deviations of its mean when users are resampled. All is odd in the difference."""
    users, runs = difference.shape
    deviation = difference.mean(axis=0) - mean
    if runs < 2 or users < 2 or not (np.abs(deviation) > TINY * np.abs(difference).max()).any():
        return estimate(mean, mean + drawn, users)
    users_part, runs_part, freedom = run_spread(difference)
    places = np.random.default_rng([seed, runs]).permutation(len(drawn))
    normal = np.sign(deviation[np.abs(deviation).argmax()]) * ndtri((places + 0.5) / len(drawn))  # evenly spread
    both = runs_part * normal + (users_part / drawn.std() * drawn if drawn.any() else 0.0)
    error = float(np.hypot(users_part, runs_part))
    tails = np.sign(both) * -stdtrit(freedom, ndtr(-np.abs(both) / error))
    return estimate(mean, mean + error * tails, users, Spread(error, freedom))


def run_spread(difference: np.ndarray) -> tuple[float, float, float]:
    """What users and runs each add to the standard error of the mean difference, and the degrees of freedom of both.

    Two-way analysis of variance of (users, runs), at least two of each. The runs' part B is the variance of the run
    means over their number, the noise of single scores included; the users' part A is the variance of the user means,
    less that noise. A + B has the variance of the mean as its expectation. A is known well, B by `runs - 1` degrees of
    freedom f, and with r = A / B a t-test needs

        f (1 + 2 (1 - 2 / f) r + 0.8 r²)        for three runs and more,        1 + 0.1 r²        for two.

    This is Satterthwaite's formula (1946), f (1 + 2 r + r²), with smaller terms, as few runs do not bear his: with three
    runs his level goes up to 7.8 %. This one stays within 4.6 to 5.4 % for three and more, within 3.6 to 6.6 % for two,
    at every r (tests/lookbook/comparison/test_significance.py computes it).
    """
    users, runs = difference.shape
    by_user, by_run = difference.mean(axis=1), difference.mean(axis=0)
    residual = difference - by_user[:, None] - by_run + by_user.mean()
    noise = float((residual**2).sum()) / ((users - 1) * (runs - 1)) / (users * runs)
    of_users = max(0.0, float(by_user.var(ddof=1)) / users - noise)
    of_runs = float(by_run.var(ddof=1)) / runs
    return np.sqrt(of_users), np.sqrt(of_runs), degrees_of_freedom(of_users / of_runs, runs)


def degrees_of_freedom(ratio: float, runs: int) -> float:
    """See `run_spread`; `ratio`: the variance that users add over the variance that runs add."""
    f = runs - 1
    needed = 1 + 0.1 * ratio**2 if f == 1 else f * (1 + 2 * (1 - 2 / f) * ratio + 0.8 * ratio**2)
    return min(needed, 1e9)  # beyond, a normal distribution


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
