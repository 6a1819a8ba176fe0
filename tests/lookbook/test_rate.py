"""The stage `rate` on a small study: no ratings, a finished round, its place in the headline, and wrong files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookbook import compare, rate
from lookbook.ratings.captions import read_captions, read_garments
from lookbook.ratings.design import hash_caption, list_pairs, list_presentations
from lookbook.ratings.rounds import Round, write_round
from lookbook.ratings.tables import TABLES, Judgement, Look, write_table
from pipeline.core.errors import UserError

FT, PT = "tiny-blip2-opt-ft", "tiny-blip2-opt-pt"


@pytest.fixture(autouse=True)
def without_ratings(study: Path) -> Path:
    """Give the study the files that ship: headers alone."""
    for table in TABLES.values():
        write_table(Path("ratings") / table.file, table, [])
    return study


def judge(own: Round, prefers: str, rater: str = "ann", name: str = "first") -> list[Judgement]:
    """Let a rater prefer an arm in every pair of a round."""
    captions = read_captions(rate.CAPTIONS, rate.ITEMS, own.arms)
    pairs = list_pairs(own, read_garments(rate.ITEMS), captions)
    rows = []
    for one in list_presentations(own, pairs, rater):
        left, right = captions[one.left][one.item_id], captions[one.right][one.item_id]
        verdict = "left" if one.left == prefers else "right"
        key = (name, rater, one.item_id, one.again, "better", one.left, one.right, verdict, 1.5)
        rows.append(Judgement(*key, hash_caption(left), hash_caption(right), left, right, "t"))
    return rows


def run_rate(rows: list[Judgement]) -> dict[str, Any]:
    write_table(rate.JUDGEMENTS, TABLES["judgement"], rows)
    rate.main()
    return json.loads(rate.RATINGS.read_text())


def test_a_study_without_ratings_has_an_empty_file() -> None:
    write_round(rate.ROUNDS, "first", Round(a=FT, b=PT))
    assert run_rate([]) == {}
    assert rate.RATINGS.read_text() == "{}\n"


@pytest.mark.slow
def test_a_finished_round_is_analysed_and_joins_the_headline() -> None:
    own = Round(a=PT, b=FT, items=8)
    write_round(rate.ROUNDS, "first", own)
    ratings = run_rate(judge(own, FT))
    figures = ratings["rounds"]["first"]
    assert figures["finished"]
    assert figures["questions"]["better"]["pairs"][f"{PT} over {FT}"]["preference"] == -1
    assert {"cider", "attribute_precision"} <= figures["questions"]["better"]["scores"].keys()
    assert ratings["headline"] == {"round": "first", "question": "better", "preference": 1, "low": 1, "high": 1} | {
        "p": ratings["headline"]["p"]
    }
    compare.main()
    assert json.loads(compare.HEADLINE.read_text())["preference"] == 1
    keys = json.loads(compare.HEADLINE.read_text()) | json.loads(compare.CHOSEN.read_text())
    assert len(keys) <= 20


def test_the_same_ratings_give_the_same_bytes() -> None:
    own = Round(a=FT, b=PT, items=6)
    write_round(rate.ROUNDS, "first", own)
    rows = judge(own, FT)
    run_rate(rows)
    before = rate.RATINGS.read_bytes()
    run_rate(rows[::-1])
    assert rate.RATINGS.read_bytes() == before


def test_an_unfinished_round_is_no_headline() -> None:
    own = Round(a=FT, b=PT, items=8, raters=2)
    write_round(rate.ROUNDS, "first", own)
    ratings = run_rate(judge(own, FT))
    assert "headline" not in ratings
    assert "questions" not in ratings["rounds"]["first"]
    write_table(rate.LOOKS, TABLES["look"], [Look("first", "ann", 4, "t")])
    ratings = run_rate(judge(own, FT))
    assert ratings["rounds"]["first"]["looks"] == {"t ann": 4}
    assert "headline" not in ratings


def test_the_headline_is_of_the_writer_and_of_the_first_finished_round() -> None:
    others, own = Round(a="tiny-llava-ft", b="tiny-llava-pt", items=4), Round(a=FT, b=PT, items=4)
    for name, one in {"a": others, "b": own, "c": own}.items():
        write_round(rate.ROUNDS, name, one)
    rows = judge(others, "tiny-llava-ft", name="a") + judge(own, PT, name="b") + judge(own, FT, name="c")
    assert run_rate(rows)["headline"]["round"] == "b"


def test_judgements_of_a_round_without_a_file_are_refused() -> None:
    own = Round(a=FT, b=PT, items=4)
    with pytest.raises(UserError, match=r"judgements of rounds that are not in ratings/rounds: first; bring back"):
        run_rate(judge(own, FT))


def test_a_study_without_captioners_has_no_ratings(write_params: Callable[..., None]) -> None:
    write_params(Path(), captioners={})
    assert run_rate([]) == {}


def test_the_reference_can_be_an_arm() -> None:
    own = Round(a="reference", b=PT, items=6)
    write_round(rate.ROUNDS, "first", own)
    question = run_rate(judge(own, "reference"))["rounds"]["first"]["questions"]["better"]
    assert question["pairs"][f"reference over {PT}"]["preference"] == 1
    assert "scores" not in question  # descriptions have no scores of their own
