"""The page Rate: a round by its keys, nothing about who wrote what, and results only when it is finished."""

from pathlib import Path

import pytest

pytest.importorskip("streamlit")

from streamlit.testing.v1 import AppTest

from lookbook.ratings.rounds import ROUNDS, Round, write_round
from lookbook.ratings.store import PATH, Store

ARMS = ("tiny-blip2-opt-ft", "tiny-blip2-opt-pt")
PAGE = """
from lookbook.app import guard
guard.show_page("rate")
"""


def open_page(rater: str = "ann") -> AppTest:
    page = AppTest.from_string(PAGE, default_timeout=60).run()
    return page.text_input(key="rater").set_value(rater).run() if page.text_input else page


def read_html(page: AppTest) -> str:
    return " ".join(str(element.proto) for element in page.main) + str([one.label for one in page.button])


def test_a_study_without_rounds_says_how_to_make_one(study: Path) -> None:
    page = open_page()
    assert not page.exception
    assert "lookbook ratings new first" in read_html(page)


def test_a_round_is_rated_without_a_name_of_an_arm(study: Path) -> None:
    write_round(ROUNDS, "first", Round(a=ARMS[0], b=ARMS[1], items=3, repeats=0.0))
    page, html = open_page(), ""
    for number in range(3):
        html += read_html(page)
        assert f"{number} of 3" in read_html(page)
        power = f"{number} of {number} judgements of this round are decided: too few to show any preference"
        assert power in read_html(page)
        assert "97 for 65 %" in read_html(page)
        page = page.button(key=f"verdict-{number + 1}").click().run()
        assert not page.exception
    captions = Store(PATH).list_judgements("first", "ann")
    assert [row.verdict for row in captions] == ["left", "right", "good"]
    words = {row.left_text for row in captions} | {row.right_text for row in captions}
    for text in words:  # the captions of this study name their arms
        html = html.replace(text, "")
    for name in (*ARMS, "tiny-blip2-opt"):
        assert name not in html
    assert "net preference" in read_html(page)  # finished: results are shown
    assert "Less can be there and not be seen" in read_html(page)


def test_the_last_answer_can_be_taken_back(study: Path) -> None:
    write_round(ROUNDS, "first", Round(a=ARMS[0], b=ARMS[1], items=3, repeats=0.0))
    page = open_page().button(key="verdict-4").click().run()
    assert [row.verdict for row in Store(PATH).list_judgements("first")] == ["bad"]
    page = page.button(key="take-back").click().run()
    assert Store(PATH).list_judgements("first") == []
    assert "0 of 3" in read_html(page)


def test_who_looks_early_sees_results_and_is_recorded(study: Path) -> None:
    write_round(ROUNDS, "first", Round(a=ARMS[0], b=ARMS[1], items=4, repeats=0.0))
    page = open_page().button(key="verdict-1").click().run()
    assert "net preference" not in read_html(page)
    page = page.button(key="look").click().run()
    assert "net preference" in read_html(page)
    assert [(look.rater, look.decided) for look in Store(PATH).list_looks("first")] == [("ann", 1)]
