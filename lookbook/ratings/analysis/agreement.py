"""How far raters agree: Krippendorff's alpha, raw agreement, self-consistency, and whether a side is preferred.

Alpha is 1 - observed / expected disagreement (Krippendorff 2011, "Computing Krippendorff's alpha-reliability"): for
any number of raters and with missing values. Observed: pairs of values within a unit, each unit weighted by its number
of values; expected: pairs of all values. Disagreement of two values is 1 (nominal), or the square of the number of
values between them, half of their own included (ordinal). Alpha is undefined where all values are equal.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest

from lookbook.comparison.significance import LEVEL, resampled_sums

NOMINAL = "nominal"
ORDINAL = "ordinal"


class Share(NamedTuple):
    """A share of n independent events, with its exact 95 % interval (Clopper and Pearson 1934)."""

    share: float
    low: float
    high: float
    n: int


def count_coincidences(units: np.ndarray) -> np.ndarray:
    """Count the pairs of values within each unit, each value once: (n_units, k) -> (n_units, k * k).

    A unit with m values has m (m - 1) ordered pairs, each of which counts 1 / (m - 1); with one value it has none.

    Args:
        units: How often each of k values, in their order, was given to each unit.
    """
    m = units.sum(axis=1)
    k = units.shape[1]
    pairs = units[:, :, None] * (units[:, None, :] - np.eye(k))  # (n_units, k, k)
    weights = np.where(m > 1, 1 / np.maximum(m - 1, 1), 0.0)
    return (pairs * weights[:, None, None]).reshape(len(units), k * k)


def find_alpha(coincidences: np.ndarray, level: str) -> np.ndarray:
    """Compute alpha from sums of coincidences; NaN where it is undefined: (draws, k * k) -> (draws,).

    Args:
        coincidences: As `count_coincidences` counts them, summed over units.
        level: nominal or ordinal.
    """
    k = int(np.sqrt(coincidences.shape[1]))
    observed = coincidences.reshape(-1, k, k)
    values = observed.sum(axis=2)  # (draws, k): how often each value occurs in a pair
    n = values.sum(axis=1)
    expected = values[:, :, None] * (values[:, None, :] - np.eye(k))
    distance = _ordinal_distance(values) if level == ORDINAL else np.broadcast_to(1 - np.eye(k), observed.shape)
    disagreement, chance = (observed * distance).sum(axis=(1, 2)), (expected * distance).sum(axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(chance > 0, 1 - (n - 1) * disagreement / chance, np.nan)


def estimate_alpha(units: np.ndarray, level: str, draws: int, seed: int) -> dict[str, float] | None:
    """Estimate alpha and its 95 % interval by resampling units; None: no unit has two values, or all are equal.

    Args:
        units: How often each of k values, in their order, was given to each unit: (n_units, k).
        level: nominal or ordinal.
        draws: The number of bootstrap draws; those in which all values are equal are left out.
        seed: The seed of the draws.
    """
    several = units[units.sum(axis=1) > 1]
    if not len(several):
        return None
    counted = count_coincidences(several)
    alpha = find_alpha(counted.sum(axis=0, keepdims=True), level)[0]
    if np.isnan(alpha):
        return None
    samples = find_alpha(resampled_sums(counted, draws, seed), level)
    low, high = np.nanquantile(samples, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {"alpha": float(alpha), "low": float(low), "high": float(high), "units": len(several)}


def find_raw_agreement(units: np.ndarray) -> float | None:
    """Return the share of pairs of raters who agree, mean over units; None: no unit has two values.

    >>> find_raw_agreement(np.array([[2, 0, 0], [1, 1, 0], [0, 0, 1]]))
    0.5
    """
    several = units[units.sum(axis=1) > 1]
    if not len(several):
        return None
    m = several.sum(axis=1)
    return float(((several * (several - 1)).sum(axis=1) / (m * (m - 1))).mean())


def estimate_share(hits: int, n: int) -> Share | None:
    """Return a share with its exact interval; None: of nothing.

    >>> estimate_share(5, 10).share
    0.5
    """
    if not n:
        return None
    interval = binomtest(hits, n).proportion_ci(LEVEL, method="exact")
    return Share(hits / n, float(interval.low), float(interval.high), n)


def _ordinal_distance(values: np.ndarray) -> np.ndarray:
    """Square the number of values from one to another in order, half of both ends: (draws, k) -> (draws, k, k)."""
    middle = np.cumsum(values, axis=1) - values / 2
    return (middle[:, :, None] - middle[:, None, :]) ** 2
