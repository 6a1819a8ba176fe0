"""Rounds of ratings whose answers are known, analysed as the stage `rate` does."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lookbook.ratings.analysis.rounds import Draws, Said, analyse_round
from lookbook.ratings.design import Presentation, hash_caption, list_pairs, list_presentations
from lookbook.ratings.rounds import Round
from lookbook.ratings.tables import Answer, Judgement, Look

Decide = Callable[[Presentation], str]  # a pair as shown -> verdict
ITEMS = 80
METRICS = ("cider", "meteor")  # higher for fine-tuned captions, and for pre-trained ones


def analyse_said(own: Round, raters: dict[str, Decide], shown: float = 1.0, looks: Sequence[Look] = ()) -> Any:
    """Return what metrics/ratings.json says of the round `first`.

    Args:
        own: The round; its arms are `NAME-ft` and `NAME-pt`.
        raters: What each rater decides.
        shown: The share of the pairs that each has judged.
        looks: Who looked early.
    """
    ids = [f"{number:03}" for number in range(ITEMS)]
    items = pd.DataFrame({"item_id": ids, "group": range(ITEMS), "category": "shirt", "split": "test"})
    captions = {
        arm: {item: f"{arm} {int(item) // 2 if arm.endswith('ft') else item}" for item in ids} for arm in own.arms
    }
    pairs, rows = list_pairs(own, items, captions), []
    for seat, (rater, decide) in enumerate(raters.items()):
        presented = list_presentations(own, pairs, rater, seat)
        for one in presented[: round(shown * len(presented))]:
            left, right = captions[one.left][one.item_id], captions[one.right][one.item_id]
            for question in own.questions:
                key = ("first", rater, one.item_id, one.again, question, one.left, one.right, decide(one))
                rows.append(Judgement(*key, 1.0, hash_caption(left), hash_caption(right), left, right, "t"))
    answers = [Answer("first", rater, "told_apart", "sometimes") for rater in raters]
    answers += [Answer("first", rater, "role", "buyer, <b>knits</b>") for rater in raters]
    figures = analyse_round(own, pairs, captions, Said(rows, answers, looks), _score(own, ids), Draws(200, 0))
    return {"rounds": {"first": figures}}


def _score(own: Round, ids: Sequence[str]) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = [
        (item, *arm.rsplit("-", 1), metric, rng.normal() + (1 if (metric == "cider") == arm.endswith("ft") else 0))
        for arm in own.arms
        for item in ids
        for metric in METRICS
    ]
    return pd.DataFrame(rows, columns=["item_id", "captioner", "variant", "metric", "value"])


def toss(own: Round, share: float, seed: int) -> Decide:
    """Return a rater who prefers the first arm with a probability of `share`, and finds a fifth equally good or bad."""
    rng = np.random.default_rng(seed)

    def decide(one: Presentation) -> str:
        if rng.random() < 0.2:
            return str(rng.choice(["good", "bad"]))
        prefers = own.a if rng.random() < share else own.b
        return "left" if one.left == prefers else "right" if one.right == prefers else "good"

    return decide
