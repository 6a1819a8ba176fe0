"""The table of attributes that a picture can show, apart from those that it cannot."""

from typing import Any

import pandas as pd

from catalogue.descriptions.vocabulary import INVISIBLE_WORDS
from lookbook.reporting.formatting import VARIANTS, Table, format_value

COUNTS = ["reference", "right", "missed", "invented"]
KINDS = {True: "cannot be seen", False: "can be seen"}


def visibility_table(attributes: pd.DataFrame, captioners: list[str], has_truth: bool) -> Table | None:
    """Return precision and recall on attributes that the sample's pictures show and on those that they do not.

    None where the true attributes are unknown, or where the descriptions have only one of the two kinds: which words
    of a real shop its pictures show is not known.

    Args:
        attributes: data/scores/attributes.parquet.
        captioners: The captioners of the study.
        has_truth: Whether the data says which attributes are true of a garment.
    """
    is_hidden = attributes["attribute"].isin(INVISIBLE_WORDS)
    named = attributes["reference"] > 0
    if not has_truth or is_hidden[named].nunique() < 2:
        return None
    sums = attributes.assign(hidden=is_hidden).groupby(["captioner", "variant", "hidden"], observed=True)[COUNTS].sum()
    counts_of: dict[Any, dict[Any, int]] = sums.to_dict("index")
    body, frame = [], []
    arms = [(name, variant, hidden) for name in captioners for variant in VARIANTS for hidden in reversed(KINDS)]
    for captioner, variant, hidden in (arm for arm in arms if arm in counts_of):
        counts = counts_of[captioner, variant, hidden]
        precision = _divide(counts["right"], counts["right"] + counts["invented"])
        recall = _divide(counts["right"], counts["reference"])
        cells = [*(f"{counts[name]:,}" for name in COUNTS), *(format_value("share", x) for x in (precision, recall))]
        body.append([captioner, VARIANTS[variant], KINDS[hidden], *cells])
        labels = {"captioner": captioner, "variant": variant, "seen": not hidden}
        frame.append(labels | counts | {"precision": precision, "recall": recall})
    header = ["Captioner", "Captions", "In the picture", "In the descriptions", "Right", "Missed", "Invented"]
    notes = [
        "All attributes of the test garments together, in percent. Materials and care are in the shop's descriptions "
        "and in no picture: a captioner can only guess them, from the type or from what the shop often says."
    ]
    title = "Attributes that a picture shows, and those that it does not"
    header += ["Precision", "Recall"]
    return Table(
        *("captions-visibility", title, header, body, 3, pd.DataFrame(frame), notes),
        heading_of=dict(zip([*COUNTS, "precision", "recall"], header[3:], strict=True)),
    )


def _divide(value: float, by: float) -> float | None:
    return float(value / by) if by else None
