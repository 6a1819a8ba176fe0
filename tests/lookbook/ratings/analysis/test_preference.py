"""The preference and its tests: by hand, and on rounds in which nobody prefers anything."""

import numpy as np
import pytest

from lookbook.ratings.analysis.preference import compute_sign_test, describe_preference, estimate_preferences
from tests.helpers.full import full


def flip_coins(rounds: int, garments: int, ties: float, seed: int) -> np.ndarray:
    """Values of rounds in which coins are flipped: (garments, rounds)."""
    rng = np.random.default_rng(seed)
    values = rng.choice([-1.0, 1.0], (garments, rounds))
    return np.where(rng.random((garments, rounds)) < ties, 0.0, values)


def count_fires(rounds: int, garments: int, ties: float, draws: int, seed: int) -> tuple[float, float]:
    """Return the share of rounds in which the sign test and the bootstrap find a preference that is not there."""
    values = flip_coins(rounds, garments, ties, seed)
    signs = [compute_sign_test(column)["p"] < 0.05 for column in values.T]
    bootstrap = []
    for start in range(0, rounds, 100):
        block = values[:, start : start + 100]
        bootstrap += [one.p < 0.05 for one in estimate_preferences(block, np.arange(garments), draws, start)]
    return float(np.mean(signs)), float(np.mean(bootstrap))


def test_in_rounds_of_coin_flips_the_tests_are_quiet() -> None:
    sign, bootstrap = count_fires(300, 100, 0.3, draws=1000, seed=0)
    assert sign <= 0.06
    assert bootstrap <= 0.09


@full
@pytest.mark.slow
@pytest.mark.parametrize(("garments", "ties"), [(110, 0.0), (100, 0.3)])
def test_of_two_thousand_rounds_of_coin_flips_few_fire(garments: int, ties: float) -> None:
    """Without ties a preference has few possible values: of 100 garments, 3.5 % of rounds are beyond 5 %."""
    sign, bootstrap = count_fires(2000, garments, ties, draws=10_000, seed=7)
    print(f"ties {ties}: sign test {sign:.2%}, bootstrap {bootstrap:.2%}")
    assert sign <= 0.06
    assert 0.035 <= bootstrap <= 0.065


def test_a_preference_is_the_mean_with_ties_as_zero() -> None:
    values = np.array([1.0] * 60 + [0.0] * 20 + [-1.0] * 20)
    figures = describe_preference(values, np.arange(100), 4000, 1)
    assert figures["preference"] == pytest.approx(0.4)
    error = values.std(ddof=1) / 10
    assert figures["low"] == pytest.approx(0.4 - 1.98 * error, abs=0.02)
    assert figures["high"] == pytest.approx(0.4 + 1.98 * error, abs=0.02)
    assert figures["detectable"] == pytest.approx(2.8 * error, rel=0.05)
    assert figures["p"] < 0.001
    assert figures["sign_test"] == {"wins": 60, "ties": 20, "losses": 20, "p": pytest.approx(8.2e-6, rel=0.1)}


def test_garments_of_a_product_are_one_unit() -> None:
    rng = np.random.default_rng(5)
    values = np.repeat(rng.choice([-1.0, 1.0], 50), 4)
    alone, together = (describe_preference(values, groups, 2000, 1) for groups in (np.arange(200), np.arange(200) // 4))
    assert together["high"] - together["low"] > 1.7 * (alone["high"] - alone["low"])


def test_one_product_has_no_smallest_difference_and_nobody_a_sign() -> None:
    assert "detectable" not in describe_preference(np.array([1.0]), np.array([0]), 100, 0)
    assert compute_sign_test(np.zeros(4)) == {"wins": 0, "ties": 4, "losses": 0, "p": 1.0}
