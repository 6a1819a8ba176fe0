"""Strengths of several arms, against scipy's optimiser and simulated preferences."""

import numpy as np
import pytest
from scipy.optimize import minimize

from lookbook.ratings.analysis.strengths import PENALTY, estimate_strengths, fit_strengths

PAIRS = [(0, 1), (0, 2), (1, 2)]


def negative_likelihood(theta: np.ndarray, counts: np.ndarray, pairs: list[tuple[int, int]]) -> float:
    """Davidson's likelihood as printed, and the penalty."""
    strength, ties = np.exp(theta[:-1]), np.exp(theta[-1])
    total = 0.0
    for (i, j), (wins, equal, losses) in zip(pairs, counts, strict=True):
        middle = ties * np.sqrt(strength[i] * strength[j])
        both = strength[i] + strength[j] + middle
        total += wins * np.log(strength[i] / both) + equal * np.log(middle / both) + losses * np.log(strength[j] / both)
    return -total + PENALTY / 2 * float(theta @ theta)


@pytest.mark.parametrize(
    "counts",
    [
        [[20, 5, 8], [30, 2, 3], [10, 10, 10]],
        [[5, 0, 5], [6, 0, 4], [3, 0, 7]],  # no ties
        [[9, 1, 0], [7, 1, 0], [0, 3, 2]],  # an arm that never loses
        [[0, 0, 0], [12, 3, 4], [5, 2, 2]],  # a pair that nobody saw
    ],
)
def test_the_fit_is_the_maximum_of_the_likelihood(counts: list[list[int]]) -> None:
    table = np.array(counts, dtype=float)
    options = {"maxiter": 9000, "xatol": 1e-8, "fatol": 1e-12}
    best = minimize(negative_likelihood, np.zeros(4), (table, PAIRS), method="Nelder-Mead", options=options)
    theta = fit_strengths(table[None], PAIRS, 3)[0]
    assert theta[:3].sum() == pytest.approx(0)
    expected = best.x[:3] - best.x[:3].mean()
    assert theta == pytest.approx([*expected, best.x[3]], abs=2e-3)


def test_draws_are_fitted_as_each_alone() -> None:
    counts = np.random.default_rng(0).integers(0, 20, (5, 3, 3)).astype(float)
    together = fit_strengths(counts, PAIRS, 3)
    assert together == pytest.approx(np.concatenate([fit_strengths(one[None], PAIRS, 3) for one in counts]), abs=1e-6)


def test_two_arms_without_ties_have_the_log_odds_of_their_wins() -> None:
    theta = fit_strengths(np.array([[[300.0, 0, 100]]]), [(0, 1)], 2)[0]
    assert theta[0] - theta[1] == pytest.approx(np.log(3), abs=0.01)


def test_simulated_strengths_are_found_with_their_order() -> None:
    rng, truth = np.random.default_rng(3), np.array([0.8, 0.0, -0.8])
    outcomes = np.zeros((900, 3, 3))
    for unit in range(900):
        i, j = PAIRS[unit % 3]
        weights = np.exp([truth[i], (truth[i] + truth[j]) / 2 + np.log(0.5), truth[j]])
        outcomes[unit, unit % 3, rng.choice(3, p=weights / weights.sum())] = 1
    found = estimate_strengths(outcomes.reshape(900, 9), PAIRS, ["best", "middle", "worst"], 300, 0)
    assert list(found) == ["best", "middle", "worst"]
    for value, figures in zip(truth, found.values(), strict=True):
        assert figures["strength"] == pytest.approx(value, abs=0.2)
        assert figures["low"] < figures["strength"] < figures["high"]
        assert figures["high"] - figures["low"] == pytest.approx(4 * 0.075, rel=0.3)  # by the likelihood's curvature


def test_the_interval_of_a_strength_holds_it_in_most_samples() -> None:
    inside = 0
    for seed in range(40):
        outcomes = np.zeros((150, 1, 3))
        draws = np.random.default_rng(seed).choice(3, 150, p=[0.5, 0.2, 0.3])
        outcomes[np.arange(150), 0, draws] = 1
        figures = estimate_strengths(outcomes.reshape(150, 3), [(0, 1)], ["a", "b"], 200, 0)["a"]
        inside += figures["low"] < np.log(0.5 / 0.3) / 2 < figures["high"]
    assert inside >= 35
