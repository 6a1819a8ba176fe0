"""Figures of what people say of the captions: verdicts, and which caption score agrees with people."""

from collections.abc import Iterator
from functools import partial

import pandas as pd

from lookbook.reporting.charts import Chart
from lookbook.reporting.charts.drawing import Interval, Panel, draw_stacks
from lookbook.reporting.charts.intervals import chart_intervals
from lookbook.reporting.formatting import CAPTION_COLUMNS, Values
from lookbook.reporting.tables.ratings import Answered, list_answered

VERDICTS = {  # as metrics/ratings.json names them, from the first arm to the second
    "wins": "first is better",
    "both_good": "equally good",
    "equal_captions": "equal captions",
    "both_bad": "both bad",
    "losses": "second is better",
}
CHANCE = 0.5


def draw_ratings(ratings: Values) -> Iterator[Chart | None]:
    """Yield the figures of what people say.

    Args:
        ratings: metrics/ratings.json.
    """
    answered = list_answered(ratings)
    yield _chart_verdicts(answered)
    words = (
        "The share of decided judgements in which a caption score prefers the caption that the rater prefers, less "
        "chance, which is 50 %. 95 % intervals over products, not tested."
    )
    yield chart_intervals("agreement", words, [_build_panel(one) for one in answered])


def _chart_verdicts(answered: list[Answered]) -> Chart | None:
    stacks = {}
    for one in answered:
        for arms, pair in one.figures["pairs"].items():
            counts = {words: pair["verdicts"][key] for key, words in VERDICTS.items()}
            total = sum(counts.values())
            stacks[_name(one, arms)] = {words: count / total for words, count in counts.items()}
    if not stacks:
        return None
    frame = pd.DataFrame(
        [
            {"pair": pair, "verdict": verdict, "share": n}
            for pair, parts in stacks.items()
            for verdict, n in parts.items()
        ]
    )
    words = (
        "What people say of pairs of captions, in percent of the judgements; garments whose captions are equal count "
        "once."
    )
    return Chart("raters", words, frame, partial(draw_stacks, stacks, "judgements, %"))


def _name(one: Answered, arms: str) -> str:
    return f"{one.round}, {one.question}: {arms}"


def _build_panel(one: Answered) -> Panel:
    rows = {name: row for name, row in one.figures.get("scores", {}).items() if name in CAPTION_COLUMNS}
    intervals = []
    for name, row in sorted(rows.items(), key=lambda entry: -entry[1]["share"]):
        share, low, high = (100 * (row[key] - CHANCE) for key in ("share", "low", "high"))
        intervals.append(Interval(CAPTION_COLUMNS[name], share, low, high, False))
    ends = ("prefers the other caption", "prefers the same caption")
    return Panel(f"{one.round}, {one.question}", "percent points above chance", intervals, ends)
