"""The results of a round of ratings as they are printed."""

from typing import Any

from lookbook.views.rating import list_results

VERDICTS = {"wins": 9, "both_good": 1, "both_bad": 2, "equal_captions": 0, "losses": 8}


def list_one(**figures: Any) -> list[str]:
    pair = {"preference": 0.25, "low": -0.05, "high": 0.5, "p": 0.04, "detectable": 0.3, "verdicts": VERDICTS} | figures
    [row] = list_results({"questions": {"better": {"pairs": {"ft over pt": pair}}}})
    return row


def test_results_are_printed_as_in_the_report() -> None:
    assert list_one() == ["better", "ft over pt", "+25.0", "−5.0 to +50.0", "0.040", "30.0", "9", "3", "8"]


def test_a_small_p_is_not_zero_and_a_zero_has_no_minus() -> None:
    assert list_one(p=0.0002, preference=-0.0, low=-0.0001)[2:5] == ["+0.0", "+0.0 to +50.0", "< 0.001"]


def test_one_product_has_no_smallest_preference() -> None:
    assert list_one(detectable=None)[5] == "n/a"
