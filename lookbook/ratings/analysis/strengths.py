"""Strengths of three arms and more, from pairs of them: the Bradley-Terry model with ties of Davidson (1970).

P(i preferred to j) = s_i / (s_i + s_j + v sqrt(s_i s_j)), P(tie) = v sqrt(s_i s_j) / the same. In log s and log v the
likelihood is that of a multinomial with linear scores, so it is concave, and Newton's method finds its maximum for all
bootstrap draws at once. A small penalty on the squares keeps the strengths finite where an arm never loses.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lookbook.comparison.significance import LEVEL, resampled_sums

PENALTY = 0.01
STEPS = 60
LARGEST_STEP = 1.0
ENOUGH = 1e-9


def fit_strengths(counts: np.ndarray, pairs: Sequence[tuple[int, int]], n_arms: int) -> np.ndarray:
    """Fit log strengths, with mean 0, and the log of the tie parameter: (draws, n_pairs, 3) -> (draws, n_arms + 1).

    Args:
        counts: How often the first arm of each pair was preferred, neither, the second.
        pairs: The indices of the arms of each pair.
        n_arms: The number of arms.
    """
    scores = np.zeros((len(pairs), 3, n_arms + 1))  # of each outcome, in log strengths and the log of the tie parameter
    for pair, (first, second) in enumerate(pairs):
        scores[pair, 0, first] = scores[pair, 2, second] = 1
        scores[pair, 1, [first, second, n_arms]] = (0.5, 0.5, 1)
    theta = np.zeros((len(counts), n_arms + 1))
    n = counts.sum(axis=2)  # (draws, n_pairs)
    for _ in range(STEPS):
        logits = np.einsum("pok,dk->dpo", scores, theta)
        chance = np.exp(logits - logits.max(axis=2, keepdims=True))
        chance /= chance.sum(axis=2, keepdims=True)
        gradient = np.einsum("dpo,pok->dk", counts - n[:, :, None] * chance, scores) - PENALTY * theta
        mean = np.einsum("dpo,pok->dpk", chance, scores)
        second_moment = np.einsum("dp,dpo,pok,pol->dkl", n, chance, scores, scores, optimize=True)
        curvature = second_moment - np.einsum("dp,dpk,dpl->dkl", n, mean, mean) + PENALTY * np.eye(n_arms + 1)
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        step /= np.maximum(1, np.abs(step).max(axis=1, keepdims=True) / LARGEST_STEP)
        theta += step
        if np.abs(step).max() < ENOUGH:
            break
    theta[:, :n_arms] -= theta[:, :n_arms].mean(axis=1, keepdims=True)
    return theta


def estimate_strengths(
    outcomes: np.ndarray, pairs: Sequence[tuple[int, int]], arms: Sequence[str], draws: int, seed: int
) -> dict[str, dict[str, Any]]:
    """Estimate the log strength of each arm with its 95 % interval, by resampling units.

    Args:
        outcomes: What was said of each unit, as counts of (pair, outcome): (n_units, n_pairs * 3).
        pairs: The indices of the arms of each pair.
        arms: The names of the arms.
        draws: The number of bootstrap draws.
        seed: The seed of the draws.

    Returns:
        Arm -> strength, low, high; strongest first.
    """

    def fit(sums: np.ndarray) -> np.ndarray:
        return fit_strengths(sums.reshape(len(sums), len(pairs), 3), pairs, len(arms))[:, : len(arms)]

    strengths = fit(outcomes.sum(axis=0, keepdims=True))[0]
    low, high = np.quantile(fit(resampled_sums(outcomes, draws, seed)), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return {
        arms[arm]: {"strength": float(strengths[arm]), "low": float(low[arm]), "high": float(high[arm])}
        for arm in np.argsort(-strengths, kind="stable")
    }
