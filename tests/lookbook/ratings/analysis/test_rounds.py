"""What is said of a whole round: rounds whose answers are known, and captions that change meanwhile."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lookbook.ratings.analysis.rounds import Draws, Said, analyse_round
from lookbook.ratings.design import Presentation, hash_caption, list_pairs, list_presentations
from lookbook.ratings.rounds import Round
from lookbook.ratings.tables import Answer, Judgement, Look

ARMS = ("x-ft", "x-pt", "y-ft")
ROUND = Round(a="x-ft", b="x-pt", items=40, raters=2)
DRAWS = Draws(500, 0)
Decide = Callable[[Presentation, int], str]  # a pair as shown, and its number -> verdict


def make_items(n: int = 80) -> pd.DataFrame:
    ids = [f"{number:03}" for number in range(n)]
    return pd.DataFrame({"item_id": ids, "group": range(n), "category": "shirt", "split": "test"})


def make_captions(equal: Sequence[str] = ()) -> dict[str, dict[str, str]]:
    ids = list(make_items()["item_id"])
    captions = {arm: {item: f"{arm} {item}" for item in ids} for arm in ARMS}
    for item in equal:
        captions["x-pt"][item] = captions["x-ft"][item]
    return captions


def make_scores() -> pd.DataFrame:
    """`good` is higher for x-ft, `bad` for x-pt, `same` is equal, `bleu_length` is no score."""
    values = {"good": (2, 1), "bad": (1, 2), "same": (1, 1), "bleu_length": (2, 1)}
    rows = [
        (item, "x", variant, metric, float(both[index]))
        for item in make_items()["item_id"]
        for index, variant in enumerate(("ft", "pt"))
        for metric, both in values.items()
    ]
    return pd.DataFrame(rows, columns=["item_id", "captioner", "variant", "metric", "value"])


def rate(own: Round, captions: dict[str, dict[str, str]], raters: dict[str, Decide]) -> list[Judgement]:
    pairs = list_pairs(own, make_items(), captions)
    rows = []
    for seat, (rater, decide) in enumerate(raters.items()):
        for number, one in enumerate(list_presentations(own, pairs, rater, seat)):
            left, right = captions[one.left][one.item_id], captions[one.right][one.item_id]
            for question in own.questions:
                key = ("first", rater, one.item_id, one.again, question, one.left, one.right, decide(one, number))
                rows.append(Judgement(*key, 1.0, hash_caption(left), hash_caption(right), left, right, "t"))
    return rows


def prefer(arm: str) -> Decide:
    return lambda one, _: "left" if one.left == arm else "right"


def always(verdict: str) -> Decide:
    return lambda one, _: verdict


def flip(seed: int) -> Decide:
    rng = np.random.default_rng(seed)
    return lambda one, _: str(rng.choice(["left", "right"]))


def analyse(
    rows: Sequence[Judgement], own: Round = ROUND, captions: dict[str, dict[str, str]] | None = None, **said: Any
) -> dict[str, Any]:
    captions = captions or make_captions()
    pairs = list_pairs(own, make_items(), captions)
    everything = Said(rows, said.get("answers", []), said.get("looks", []))
    return analyse_round(own, pairs, captions, everything, make_scores(), DRAWS)


def test_raters_who_always_prefer_an_arm() -> None:
    figures = analyse(rate(ROUND, make_captions(), {"ann": prefer("x-ft"), "bob": prefer("x-ft")}))
    assert {key: figures[key] for key in ("planned", "judgements", "changed", "skipped", "finished")} == {
        "planned": 88,
        "judgements": 88,
        "changed": 0,
        "skipped": 0,
        "finished": True,
    }
    question = figures["questions"]["better"]
    pair = question["pairs"]["x-ft over x-pt"]
    assert (pair["preference"], pair["low"], pair["high"]) == (1, 1, 1)
    assert pair["verdicts"] == {"wins": 80, "both_good": 0, "both_bad": 0, "losses": 0, "equal_captions": 0}
    assert pair["sign_test"]["wins"] == 40
    assert pair["by_rater"] == {"ann": 1, "bob": 1}
    agreement = question["agreement"]
    assert agreement["raw"] == agreement["self"]["share"] == 1
    assert agreement["self"]["n"] == 8
    assert "alpha_nominal" not in agreement  # all values are equal
    assert agreement["left"]["share"] == pytest.approx(0.5, abs=0.05)
    assert {name: one["share"] for name, one in question["scores"].items()} == {"good": 1, "bad": 0, "same": 0.5}
    assert question["scores"]["same"]["equal"] == question["scores"]["good"]["judgements"] == 80


def test_a_rater_who_always_says_left_prefers_no_arm_and_contradicts_themselves() -> None:
    own = ROUND.model_copy(update={"raters": 1})
    question = analyse(rate(own, make_captions(), {"ann": always("left")}), own)["questions"]["better"]
    assert question["pairs"]["x-ft over x-pt"]["preference"] == 0
    assert question["agreement"]["left"]["share"] == 1
    assert question["agreement"]["self"] == {"share": 0, "low": 0, "high": pytest.approx(0.602, abs=1e-3), "n": 4}
    assert "raw" not in question["agreement"]


def test_raters_who_contradict_each_other_cancel_out() -> None:
    question = analyse(rate(ROUND, make_captions(), {"ann": prefer("x-ft"), "bob": prefer("x-pt")}))["questions"][
        "better"
    ]
    pair = question["pairs"]["x-ft over x-pt"]
    assert pair["preference"] == 0
    assert pair["by_rater"] == {"ann": 1, "bob": -1}
    assert pair["sign_test"] == {"wins": 0, "ties": 40, "losses": 0, "p": 1}
    assert question["agreement"]["raw"] == 0
    assert question["agreement"]["alpha_nominal"]["alpha"] < -0.9


def test_raters_who_flip_coins_do_not_agree() -> None:
    own = ROUND.model_copy(update={"items": 80})
    question = analyse(rate(own, make_captions(), {"ann": flip(1), "bob": flip(2)}), own)["questions"]["better"]
    for level in ("nominal", "ordinal"):
        assert question["agreement"][f"alpha_{level}"]["low"] < 0 < question["agreement"][f"alpha_{level}"]["high"]
    assert question["pairs"]["x-ft over x-pt"]["low"] < 0 < question["pairs"]["x-ft over x-pt"]["high"]


def test_equal_captions_count_as_ties() -> None:
    captions = make_captions(equal=[f"{number:03}" for number in range(0, 80, 2)])
    own = ROUND.model_copy(update={"raters": 1})
    figures = analyse(rate(own, captions, {"ann": prefer("x-ft")}), own, captions)
    pair = figures["questions"]["better"]["pairs"]["x-ft over x-pt"]
    equal = figures["equal_captions"]
    assert 10 < equal < 30
    assert pair["preference"] == pytest.approx((40 - equal) / 40)
    assert (pair["items"], pair["verdicts"]["equal_captions"]) == (40, equal)
    assert pair["sign_test"]["ties"] == equal


def test_judgements_of_captions_that_changed_are_left_out_and_counted() -> None:
    rows = rate(ROUND, make_captions(), {"ann": prefer("x-ft"), "bob": prefer("x-ft")})
    captions = make_captions()
    for number in range(40):
        captions["x-ft"][f"{number:03}"] = "trained again"
        captions["x-pt"][f"{number + 40:03}"] += "  "  # white space is not shown
    touched = sum(int(row.item_id) < 40 for row in rows)
    figures = analyse(rows, captions=captions)
    assert 0 < figures["changed"] == touched < len(rows)
    assert not figures["finished"]
    assert "questions" not in figures
    figures = analyse(rows, captions=captions, looks=[Look("first", "ann", 40, "2026-01-01")])
    assert figures["questions"]["better"]["pairs"]["x-ft over x-pt"]["items"] == len(
        {row.item_id for row in rows if int(row.item_id) >= 40}
    )
    of_another_draw = analyse(rows, ROUND.model_copy(update={"seed": 7}))
    assert 0 < of_another_draw["changed"] < len(rows)


def test_skipped_pairs_count_for_nothing() -> None:
    rows = rate(ROUND, make_captions(), {"ann": prefer("x-ft"), "bob": always("skip")})
    figures = analyse(rows)
    assert figures["skipped"] == 44
    assert figures["questions"]["better"]["pairs"]["x-ft over x-pt"]["by_rater"] == {"ann": 1}


def test_an_unfinished_round_shows_no_result_unless_somebody_looked() -> None:
    rows = rate(ROUND, make_captions(), {"ann": prefer("x-ft")})
    hidden = analyse(rows)
    assert (hidden["judgements"], hidden["planned"], hidden["finished"]) == (44, 88, False)
    assert "questions" not in hidden
    seen = analyse(rows, looks=[Look("first", "ann", 40, "2026-01-01")])
    assert seen["looks"] == {"2026-01-01 ann": 40}
    assert seen["questions"]["better"]["pairs"]["x-ft over x-pt"]["preference"] == 1


def test_each_question_is_analysed_alone() -> None:
    own = ROUND.model_copy(update={"questions": ["right", "complete"], "raters": 1})
    rows = rate(own, make_captions(), {"ann": prefer("x-ft")})
    rows = [row._replace(verdict="bad") if row.question == "right" else row for row in rows]
    questions = analyse(rows, own)["questions"]
    assert questions["right"]["pairs"]["x-ft over x-pt"]["verdicts"]["both_bad"] == 40
    assert questions["right"]["decided"] == 0
    assert "scores" not in questions["right"]
    assert questions["complete"]["pairs"]["x-ft over x-pt"]["preference"] == 1


def test_three_arms_have_strengths_in_the_order_of_preference() -> None:
    own = Round(a="x-ft", b="x-pt", others=["y-ft"], items=78)
    order = ["y-ft", "x-ft", "x-pt"]

    def decide(one: Presentation, _: int) -> str:
        return "left" if order.index(one.left) < order.index(one.right) else "right"

    question = analyse(rate(own, make_captions(), {"ann": decide}), own)["questions"]["better"]
    assert list(question["strengths"]) == order
    assert question["pairs"]["x-pt over y-ft"]["preference"] == -1
    assert len(question["pairs"]) == 3


def test_what_could_tell_the_arms_apart_is_reported() -> None:
    captions = make_captions()
    for number in range(80):
        captions["x-pt"][f"{number:03}"] = f"A picture of shirt {number}"
        captions["x-ft"][f"{number:03}"] = f"shirt {number} as LLaVA sees it" if number % 2 else f"shirt {number}"
    own = ROUND.model_copy(update={"raters": 1})
    answers = [Answer("first", "ann", "told_apart", "yes"), Answer("first", "ann", "role", "buyer")]
    answers.append(Answer("first", "ann", "seat", "0"))
    figures = analyse(rate(own, captions, {"ann": prefer("x-ft")}), own, captions, answers=answers)
    assert figures["telltales"]["x-pt"] == {"names_model": 0, "fixed_prompt": 40}
    assert 10 < figures["telltales"]["x-ft"]["names_model"] < 30
    assert figures["raters"] == {"ann": {"judgements": 44, "told_apart": "yes", "role": "buyer"}}
