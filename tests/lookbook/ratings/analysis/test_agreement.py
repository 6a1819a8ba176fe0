"""Agreement of raters, against slow obvious implementations and Krippendorff's published example."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookbook.ratings.analysis.agreement import (
    NOMINAL,
    ORDINAL,
    count_coincidences,
    estimate_alpha,
    estimate_share,
    find_alpha,
    find_raw_agreement,
)

Units = list[list[int]]  # the values that raters gave to each unit


def alpha_by_definition(units: Units, level: str) -> float | None:
    """Krippendorff's alpha read aloud: the mean distance of values within units over that of all values."""
    several = [values for values in units if len(values) > 1]
    everything = [value for values in several for value in values]

    def distance(one: int, other: int) -> float:
        if level == NOMINAL:
            return float(one != other)
        low, high = sorted((one, other))
        between = sum(low <= value <= high for value in everything)
        return (between - (everything.count(low) + everything.count(high)) / 2) ** 2 if low != high else 0.0

    n = len(everything)
    within = sum(distance(a, b) / (len(values) - 1) for values in several for a, b in permutations(values, 2))
    chance = sum(distance(a, b) for a, b in permutations(everything, 2))
    return 1 - (within / n) / (chance / (n * (n - 1))) if chance else None


def as_counts(units: Units, k: int = 3) -> np.ndarray:
    return np.array([[values.count(value) for value in range(k)] for values in units])


def alpha(units: Units, level: str, k: int = 3) -> float | None:
    result = estimate_alpha(as_counts(units, k), level, 10, 0)
    return None if result is None else result["alpha"]


@pytest.mark.parametrize(("level", "published"), [(NOMINAL, 0.743), (ORDINAL, 0.815)])
def test_alpha_of_the_published_example(level: str, published: float) -> None:
    """Krippendorff 2011, section C: four observers, twelve units, values missing."""
    rows = ["123321412...", "1233224125.3", ".3332342251.", "12332441251."]
    units = [[int(row[unit]) - 1 for row in rows if row[unit] != "."] for unit in range(12)]
    assert alpha(units, level, 5) == pytest.approx(published, abs=5e-4)
    assert alpha_by_definition(units, level) == pytest.approx(published, abs=5e-4)


@given(st.lists(st.lists(st.integers(0, 2), max_size=4), min_size=1, max_size=8), st.sampled_from([NOMINAL, ORDINAL]))
@settings(max_examples=60, deadline=None)
def test_alpha_is_as_defined(units: Units, level: str) -> None:
    assert alpha(units, level) == pytest.approx(alpha_by_definition(units, level))


@pytest.mark.parametrize("level", [NOMINAL, ORDINAL])
def test_equal_raters_have_an_alpha_of_one(level: str) -> None:
    units = [[value] * 3 for value in np.random.default_rng(0).integers(0, 3, 40).tolist()]
    result = estimate_alpha(as_counts(units), level, 200, 0)
    assert result == {"alpha": 1.0, "low": 1.0, "high": 1.0, "units": 40}
    assert find_raw_agreement(as_counts(units)) == 1


@pytest.mark.parametrize("level", [NOMINAL, ORDINAL])
def test_coin_flips_have_an_alpha_near_zero(level: str) -> None:
    units = np.random.default_rng(1).integers(0, 2, (4000, 2)).tolist()
    result = estimate_alpha(as_counts(units), level, 200, 0)
    assert result is not None
    assert abs(result["alpha"]) < 0.05
    assert result["low"] < 0 < result["high"]


def test_the_interval_of_alpha_holds_it_in_most_samples() -> None:
    """Two raters who agree in 70 % of pairs beyond chance: alpha is 0.7."""
    rng, inside = np.random.default_rng(2), 0
    for _ in range(60):
        first = rng.integers(0, 2, 100)
        second = np.where(rng.random(100) < 0.7, first, rng.integers(0, 2, 100))
        result = estimate_alpha(as_counts(np.stack([first, second], 1).tolist()), NOMINAL, 300, 0)
        assert result is not None
        inside += result["low"] <= 0.7 <= result["high"]
    assert inside >= 52


def test_where_alpha_is_undefined_there_is_none() -> None:
    assert alpha([[1], [0], [2]], NOMINAL) is None
    assert alpha([[1, 1], [1, 1]], NOMINAL) is None
    assert find_raw_agreement(as_counts([[1], [2]])) is None
    assert np.isnan(find_alpha(count_coincidences(as_counts([[1, 1]])).sum(axis=0, keepdims=True), NOMINAL)).all()


def test_a_share_has_an_exact_interval() -> None:
    share = estimate_share(10, 10)
    assert share is not None
    assert (share.share, share.high, share.n) == (1, 1, 10)
    assert share.low == pytest.approx(0.025 ** (1 / 10))  # Clopper and Pearson
    assert estimate_share(0, 0) is None
