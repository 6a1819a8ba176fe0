"""How figures are printed: names, signs, digits, stars; a table as Markdown and CSV.

Caption scores are shown in percent and CIDEr x 100, as studies print them; recommendation scores as fractions. In the
JSON files all are fractions.
"""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from lookbook.reporting.text import show_controls
from pipeline.core.errors import UserError
from pipeline.names import explain_unknown_name
from recsys.scoring.arms import split_name

MINUS = "\N{MINUS SIGN}"
Values = dict[str, Any]
Tuning = dict[tuple[str, str], Values]  # (experiment, recommender with features) -> what was tuned

CAPTION_COLUMNS = {
    "bleu_4": "BLEU-4",
    "meteor": "METEOR",
    "rouge_l": "ROUGE-L",
    "cider": "CIDEr",
    "spice": "SPICE",
    "attribute_precision": "MAP",
    "attribute_recall": "MAR",
    "visible_recall": "MAR seen",
    "invisible_recall": "MAR unseen",
    "core_precision": "Core",
    "core_type": "Type",
    "core_colour": "Colour",
    "core_pattern": "Pattern",
    "accuracy": "Acc.",
    "accuracy_zero_shot": "Acc. 0-shot",
    "length_ratio": "Length",
    "finished_share": "Finished",
}
DEFINITIONS = {
    "BLEU-4": "shared word sequences of up to four words, with a penalty for shortness; of the whole test set",
    "METEOR": "aligned words, stems, synonyms and paraphrases, fewer fragments better; of the whole test set",
    "ROUGE-L": "longest common subsequence of words",
    "CIDEr": "similarity of tf-idf weighted word sequences; document frequencies from the references of the test set; "
    "× 100, at most 1000",
    "SPICE": "F-score of the objects, attributes and relations that both texts state",
    "MAP": "mean attribute precision: how many of a caption's attributes the reference has",
    "MAR": "mean attribute recall: how many of the reference's attributes the caption has",
    "MAR seen": "the same for the attributes that the sample's pictures show; MAR unseen for the others, such as the "
    "material, which a captioner can only guess",
    "Core": "precision on category, colour and pattern: how many of those that the caption names are true of the "
    "garment; styles that name different ones are better compared by the next three",
    "Type": "the same on the category alone; Colour and Pattern likewise, n/a where no caption names it",
    "Acc.": "how often a classifier trained on the shop's descriptions recognises the category in the caption; "
    "it has seen no other style of text",
    "Acc. 0-shot": "how often the category name nearest to the caption is the right one; no training",
    "Length": "caption length over reference length, a ratio",
    "Finished": "captions that ended before the token limit",
}
REC_DEFINITIONS = {
    "NDCG@k": "normalised discounted cumulative gain of the first k of the list: purchases in the list, higher ranks "
    "counting more",
    "MAP-Elliot@k": "mean of precision@1 … precision@k: what the Elliot framework calls MAP; not average precision",
}
VARIANTS = {
    "pt": "pre-trained",
    "ft": "fine-tuned",
    "floor": "floor: wrong images",
    "ceiling": "ceiling: second description",
}
RECOMMENDERS = {
    "random": "Random",
    "mostpop": "MostPop",
    "userknn": "UserKNN",
    "itemknn": "ItemKNN",
    "bpr": "BPR-MF",
    "vbpr": "VBPR",
    "contentknn": "content kNN",
    "lightgcn": "LightGCN",
    "freedom": "FREEDOM",
}
DIGITS = {  # beginning of a metric's name -> digits of its value, which is no percentage
    **dict.fromkeys(("ndcg", "map", "recall", "precision", "hit", "share_", "everyone_ndcg"), 4),
    **dict.fromkeys(("length_ratio", "attributes_selected", "similarity"), 2),
    **{"coverage": 3, "gini": 3, "long_tail": 3, "novelty": 2, "popularity_lift": 2, "popularity": 1},
}
MARKS = "Stars: * p < 0.05, ** p < 0.01, *** p < 0.001, corrected by Holm over the rows of the metric in its table"
ONE_RUN = "Each captioner was fine-tuned once, so what differs between captioners contains the chance of one training."
INTERVALS = "95 % intervals over products, users and repeated runs"


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes:
        rows: The cells as printed.
        labels: The number of columns at the left that hold text.
        frame: The same at full precision, for CSV.
        notes: Sentences below the table.
        compared: The rows whose figures may be compared with one another; the best of a column is marked in papers.
        best_within_label: Whether they may be compared only where their first cell is equal.
        beats: (row, column) -> the row that this figure differs from by a corrected test.
        intervals: (row, column) -> an interval, printed on request.
        interval_note: What these intervals are of.
        heading_of: Column of the frame -> the heading of figures that it belongs to. A column that is not here names
            the row, or is in the CSV alone: it stays, whichever headings are chosen.
    """

    name: str
    title: str
    header: list[str]
    rows: list[list[str]]
    labels: int
    frame: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    compared: list[int] = field(default_factory=list)
    best_within_label: bool = False
    beats: dict[tuple[int, int], int] = field(default_factory=dict)
    intervals: dict[tuple[int, int], str] = field(default_factory=dict)
    interval_note: str = ""
    heading_of: Mapping[str, str] = field(default_factory=dict)

    def markdown(self) -> str:
        """Return title, table and notes; numbers are right-aligned."""
        rule = ["---"] * self.labels + ["--:"] * (len(self.header) - self.labels)
        escaped = [[_escape_markdown(cell) for cell in cells] for cells in (self.header, *self.rows)]
        lines = [_line(cells) for cells in (escaped[0], rule, *escaped[1:])]
        return "\n".join([f"## {self.title}", "", *lines, *(f"\n{note}" for note in self.notes)]) + "\n"

    def rank(self) -> dict[tuple[int, int], int]:
        """Return 1 for the best and 2 for the second of each column among the rows that may be compared.

        Larger is better, but for a ratio of lengths, where nearer to 1 is. Figures that are printed alike share a rank.
        """
        ranks: dict[tuple[int, int], int] = {}
        blocks: dict[str, list[int]] = {}
        for number in self.compared:
            blocks.setdefault(self.rows[number][0] if self.best_within_label else "", []).append(number)
        for numbers in blocks.values():
            for column in range(self.labels, len(self.header)):
                values = {number: read_figure(self.rows[number][column]) for number in numbers}
                if self.header[column] == "Length":
                    values = {number: None if value is None else -abs(value - 1) for number, value in values.items()}
                best = sorted({value for value in values.values() if value is not None}, reverse=True)[:2]
                if len(best) > 1:
                    ranks |= {(n, column): best.index(value) + 1 for n, value in values.items() if value in best}
        return ranks

    def explain_ranks(self) -> list[str]:
        """Say what bold and underlined figures are, where rows are compared."""
        each = f"column in each {self.header[0].lower()}" if self.best_within_label else "column"
        note = f"Best of each {each} bold, second underlined; floors, ceilings, controls and published figures apart."
        return [note] if self.compared else []

    def select(self, columns: Sequence[str]) -> "Table":
        """Return the table with these columns of figures alone, in this order.

        Args:
            columns: Headings as `slug` writes them: `bleu_4`, `ndcg_12`.

        Raises:
            UserError: The table has no such column.
        """
        slugs = [slug(name) for name in self.header]
        known = slugs[self.labels :]
        for name in columns:
            problem = explain_unknown_name(f"column of the table {self.name}", name, known)
            if problem:
                raise UserError(f"--columns: {problem}")
        order = [*range(self.labels), *(slugs.index(name, self.labels) for name in columns)]
        place = {column: index for index, column in enumerate(order)}
        owner_of = {name: slug(heading) for name, heading in self.heading_of.items()}
        kept = [name for owner in (None, *columns) for name in self.frame.columns if owner_of.get(name) == owner]
        return replace(
            self,
            header=[self.header[column] for column in order],
            rows=[[row[column] for column in order] for row in self.rows],
            frame=self.frame[kept],
            beats={(row, place[column]): other for (row, column), other in self.beats.items() if column in place},
            intervals={(row, place[column]): text for (row, column), text in self.intervals.items() if column in place},
        )

    def csv(self) -> str:
        """Return the values at full precision; a missing value is an empty cell."""
        buffer = io.StringIO()
        self.frame.to_csv(buffer, index=False, lineterminator="\n")
        return buffer.getvalue()


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escape_markdown(text: str) -> str:
    """Escape what Markdown reads as more than text; figures, stars and intervals stay readable."""
    return re.sub(r"([\\`|<]|\](?=\())", r"\\\1", show_controls(text))


def slug(heading: str) -> str:
    """Return a heading as an option names it.

    >>> slug("BLEU-4"), slug("NDCG@12"), slug("Acc. 0-shot")
    ('bleu_4', 'ndcg_12', 'acc_0_shot')
    """
    return re.sub(r"[^a-z0-9]+", "_", heading.lower()).strip("_")


def split_stars(cell: str) -> tuple[str, str]:
    """Split the stars from a figure: `518.4***`."""
    figure = cell.rstrip("*")
    return figure, cell[len(figure) :]


def read_figure(cell: str) -> float | None:
    """Read a printed figure, without its stars; None where the cell is none.

    >>> read_figure("\N{MINUS SIGN}1.5**"), read_figure("n/a")
    (-1.5, None)
    """
    try:
        return float(split_stars(cell)[0].replace(MINUS, "-").replace(",", ""))
    except ValueError:
        return None


def mark(row: Values | None) -> str:
    """Return the stars of a comparison: none where there is no comparison or it is not confirmatory or significant."""
    p = row.get("p_holm") if row else None
    if p is None:
        return ""
    return "*" * sum(p < level for level in (0.05, 0.01, 0.001))


def is_known(row: Values) -> bool:
    """Tell whether anything is known of a difference: else its interval is all that is possible.

    >>> is_known({"low": -1.0, "high": 1.0, "detectable": None}), is_known({"low": 0.0, "high": 0.0, "detectable": 0.0})
    (False, True)
    """
    return row["detectable"] is not None


def format_value(metric: str, value: float | None, sign: bool = False) -> str:
    """Format a value: captions in percent, CIDEr x 100, what `DIGITS` has as it is, with so many digits."""
    if value is None:
        return "n/a"
    plus = "+z" if sign else "z"  # z: no minus before a zero
    digits = next((number for start, number in DIGITS.items() if metric.startswith(start)), None)
    text = f"{100 * value:{plus}.1f}" if digits is None else f"{value:{plus}.{digits}f}"
    return text.replace("-", MINUS)


def format_interval(metric: str, row: Values) -> str:
    """Format a difference and its interval: `+0.0123 [+0.0010, +0.0230]`."""
    difference, low, high = (format_value(metric, row[key], True) for key in ("difference", "low", "high"))
    return f"{difference} [{low}, {high}]"


def format_p(p: float | None) -> str:
    """Format p to two digits; empty where there is none.

    >>> format_p(0.0123), format_p(0.0004), format_p(None)
    ('0.012', '< 0.001', '')
    """
    if p is None:
        return ""
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def format_p_in_sentence(p: float) -> str:
    """Format p for a sentence: `= 0.020`, `< 0.001`."""
    text = format_p(p)
    return text if text.startswith("<") else f"= {text}"


def name_of(recommender: str) -> str:
    """`vbpr-sbert` as `VBPR sbert`, `userknn` as `UserKNN`."""
    name, features = split_name(recommender)
    shown_as = RECOMMENDERS.get(name, name)
    return shown_as if features is None else f"{shown_as} {features}"


def list_skipped(metrics: Values, but: str = "") -> list[str]:
    """Return a note per metric that was not scored, with the reason.

    Args:
        metrics: metrics/captions.json.
        but: Leave out metrics whose names begin with this.
    """
    return [f"Not scored: {reason}." for reason in metrics.get("skipped", []) if not but or not reason.startswith(but)]
