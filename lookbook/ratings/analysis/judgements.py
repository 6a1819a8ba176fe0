"""The judgements of a round that count: those of captions that still are as they were, with values and products."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from lookbook.ratings.design import Captions, Pair, hash_caption
from lookbook.ratings.rounds import Round
from lookbook.ratings.tables import BAD, GOOD, LEFT, RIGHT, SKIP, Judgement

COLUMNS = ["rater", "item_id", "group", "again", "question", "pair", "verdict", "on_left", "value"]


class Counted(NamedTuple):
    """The judgements of a round that count, and how many do not.

    Attributes:
        table: A row per judgement: rater, item_id, group (product), again, question, pair (index of the round's pairs
            of arms), verdict, on_left (whether the pair's first arm stood on the left), value (1: the first arm is
            preferred, 0: neither, -1: the second).
        changed: Judgements of captions that have changed, or that the round has no longer.
        skipped: Judgements without an answer.
    """

    table: pd.DataFrame
    changed: int
    skipped: int


def count_judgements(own: Round, pairs: Sequence[Pair], captions: Captions, rows: Sequence[Judgement]) -> Counted:
    """Select the judgements that count, and give each its value.

    Args:
        own: The round.
        pairs: Its pairs.
        captions: The captions of each arm as they are now.
        rows: The judgements of this round.
    """
    of_item = {pair.item_id: pair for pair in pairs}
    fitting = select_fitting(own, pairs, captions, rows)
    answered = [row for row in fitting if row.verdict != SKIP]
    values = []
    for row in answered:
        pair = of_item[row.item_id]
        on_left = row.left == pair.a
        index = own.pairs.index((pair.a, pair.b))
        value = find_value(row.verdict, on_left)
        key = (row.rater, row.item_id, pair.group, row.again, row.question)
        values.append((*key, index, row.verdict, on_left, value))
    return Counted(pd.DataFrame(values, columns=COLUMNS), len(rows) - len(fitting), len(fitting) - len(answered))


def select_fitting(own: Round, pairs: Sequence[Pair], captions: Captions, rows: Sequence[Judgement]) -> list[Judgement]:
    """Select the judgements of pairs that the round has, with the captions as they are now: see `count_judgements`."""
    of_item = {pair.item_id: pair for pair in pairs}
    return [row for row in rows if _fits(row, own, of_item, captions)]


def find_value(verdict: str, on_left: bool) -> int:
    """Return 1 where the first arm of a pair is preferred, -1 where the second is, 0 where neither is.

    >>> find_value("left", on_left=True), find_value("left", on_left=False), find_value("bad", on_left=True)
    (1, -1, 0)
    """
    return {LEFT: 1, RIGHT: -1, GOOD: 0, BAD: 0}[verdict] * (1 if on_left else -1)


def _fits(row: Judgement, own: Round, pairs: Mapping[str, Pair], captions: Captions) -> bool:
    pair = pairs.get(row.item_id)
    return (
        pair is not None
        and {row.left, row.right} == {pair.a, pair.b}
        and row.question in own.questions
        and hash_caption(captions[row.left][row.item_id]) == row.left_sha256
        and hash_caption(captions[row.right][row.item_id]) == row.right_sha256
    )
