"""How figures are printed: names, signs, digits, stars; a table as Markdown, LaTeX and CSV.

Caption scores are shown in percent and CIDEr x 100, as studies print them; recommendation scores as fractions. In the
JSON files all are fractions.
"""

import io
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from recsys.scoring.arms import split_name

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
MARKS = "Stars: * p < 0.05, ** p < 0.01, *** p < 0.001, corrected by Holm over the rows of the metric in its table"
ONE_RUN = "Each captioner was fine-tuned once, so what differs between captioners contains the chance of one training."
INTERVALS = "95 % intervals over products, users and runs"


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes:
        rows: The cells as printed.
        labels: The number of columns at the left that hold text.
        frame: The same at full precision, for CSV.
        notes: Sentences below the table.
    """

    name: str
    title: str
    header: list[str]
    rows: list[list[str]]
    labels: int
    frame: pd.DataFrame
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> str:
        """Return title, table and notes; numbers are right-aligned."""
        rule = ["---"] * self.labels + ["--:"] * (len(self.header) - self.labels)
        lines = [_line(cells) for cells in (self.header, rule, *self.rows)]
        return "\n".join([f"## {self.title}", "", *lines, *(f"\n{note}" for note in self.notes)]) + "\n"

    def latex(self) -> str:
        """Return a booktabs table with its title as caption and its notes below."""
        columns = "l" * self.labels + "r" * (len(self.header) - self.labels)
        body = [" & ".join(map(_latex, cells)) + r" \\" for cells in (self.header, *self.rows)]
        lines = [r"\begin{table}", rf"\caption{{{_latex(self.title)}}}", rf"\label{{tab:{self.name}}}"]
        lines += [rf"\begin{{tabular}}{{{columns}}}", r"\toprule", body[0], r"\midrule", *body[1:], r"\bottomrule"]
        lines += [r"\end{tabular}", *(rf"\par\footnotesize {_latex(note)}" for note in self.notes), r"\end{table}"]
        return "% needs \\usepackage{booktabs}\n" + "\n".join(lines) + "\n"

    def csv(self) -> str:
        """Return the values at full precision; a missing value is an empty cell."""
        buffer = io.StringIO()
        self.frame.to_csv(buffer, index=False, lineterminator="\n")
        return buffer.getvalue()


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\N{MINUS SIGN}": "$-$",
    "×": r"$\times$",
    "<": "$<$",
    ">": "$>$",
}
LATEX |= {sign: f"\\{sign}" for sign in "&%$#_{}"}


def _latex(text: str) -> str:
    """Escape everything that LaTeX reads as a command."""
    return "".join(LATEX.get(sign, sign) for sign in text)


def mark(row: Values | None) -> str:
    """Return the stars of a comparison: none where there is no comparison or it is not confirmatory or significant."""
    p = row.get("p_holm") if row else None
    if p is None:
        return ""
    return "*" * sum(p < level for level in (0.05, 0.01, 0.001))


def format_value(metric: str, value: float | None, sign: bool = False) -> str:
    """Format a value: captions in percent, CIDEr x 100, length as a ratio, recommendations to four digits."""
    if value is None:
        return "n/a"
    plus = "+z" if sign else "z"  # z: no minus before a zero
    if metric == "length_ratio":
        text = f"{value:{plus}.2f}"
    elif metric.startswith(("ndcg", "map_elliot", "recall", "precision", "hit", "map")):
        text = f"{value:{plus}.4f}"
    elif metric == "attributes_selected":
        text = f"{value:{plus}.2f}"
    else:
        text = f"{100 * value:{plus}.1f}"
    return text.replace("-", "\N{MINUS SIGN}")


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
