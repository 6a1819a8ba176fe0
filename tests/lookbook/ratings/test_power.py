"""The power of the sign test, against a sum over all outcomes."""

from math import comb

import pytest

from lookbook.ratings.power import find_decided, find_detectable, find_planned, find_power, list_power


def power_by_definition(decided: int, share: float) -> float:
    """Sum the probabilities of the counts at which the exact two-sided test is significant."""
    total = 0.0
    for count in range(decided + 1):
        as_rare = [other for other in range(decided + 1) if comb(decided, other) <= comb(decided, count)]
        if sum(comb(decided, other) for other in as_rare) / 2**decided <= 0.05:
            total += comb(decided, count) * share**count * (1 - share) ** (decided - count)
    return total


@pytest.mark.parametrize("decided", [1, 5, 6, 17, 40])
@pytest.mark.parametrize("share", [0.5, 0.65, 0.9])
def test_power_is_the_probability_of_a_significant_count(decided: int, share: float) -> None:
    assert find_power(decided, share) == pytest.approx(power_by_definition(decided, share), abs=1e-12)


def test_needed_numbers_are_those_of_tables() -> None:
    assert list_power() == {"55 %": 820, "60 %": 210, "65 %": 97, "70 %": 54, "75 %": 35, "80 %": 23}


def test_ties_must_be_planned_for() -> None:
    assert find_planned(0.65, 0.5) == 194
    with pytest.raises(ValueError, match="more than 3000"):
        find_decided(0.51)


@pytest.mark.parametrize("share", [0.6, 0.65, 0.7, 0.75, 0.8])
def test_what_is_needed_for_a_share_can_show_it(share: float) -> None:
    found = find_detectable(find_decided(share))
    assert found is not None
    assert found <= share
    assert find_detectable(5) is None
