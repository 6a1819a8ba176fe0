"""What a rater is shown, and the results of a round as they are printed."""

from pathlib import Path
from typing import Any

from lookbook.ratings.design import list_pairs
from lookbook.ratings.rounds import Round
from lookbook.ratings.store import Store, create_store
from lookbook.views.rating import (
    OpenRound,
    count_missing,
    describe_power_so_far,
    find_progress,
    list_results,
    save_verdict,
)
from tests.lookbook.ratings.analysis.test_rounds import make_captions, make_items

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


def rate_all(opened: OpenRound, store: Store, rater: str) -> int:
    """Judge what a rater is shown until nothing waits, and return how many pairs were judged."""
    judged = 0
    while task := find_progress(opened, store, rater).task:
        save_verdict(opened, store, rater, task, "left", 1.0)
        judged += 1
    return judged


def test_pairs_are_shown_again_whose_captions_changed_since_they_were_judged(tmp_path: Path) -> None:
    own = Round(a="x-ft", b="x-pt", items=12, repeats=0)
    captions = make_captions()
    pairs = list_pairs(own, make_items(), captions)
    opened = OpenRound("first", own, pairs, captions, {}, {})
    store, _ = create_store(tmp_path / "ratings.sqlite", "sample")
    assert rate_all(opened, store, "ann") == 12
    assert count_missing(opened, store) == 0
    changed = [pair.item_id for pair in pairs[:5]]
    captions["x-ft"] |= dict.fromkeys(changed, "trained again")
    assert count_missing(opened, store) == 5
    assert describe_power_so_far(opened, store).startswith("7 of 7 judgements of this round are decided")
    assert find_progress(opened, store, "ann").given == 7
    assert rate_all(opened, store, "ann") == 5
    assert count_missing(opened, store) == 0
