"""Attribute recall of what the picture shows, and of what it cannot show: material, lining, care.

    recall = attributes of the reference that the caption names / attributes of the reference

over the attributes that are, or are not, in `INVISIBLE_WORDS`. For the sample only, where these words are known. A
captioner can guess what it does not see, from what is frequent; the second figure says how well.
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from captioning.scores import Garments
from catalogue.descriptions.vocabulary import INVISIBLE_WORDS

METRICS: tuple[str, ...] = ("visible_recall", "invisible_recall")
LEFT_OUT: Mapping[str, str] = {
    "visible_recall": "the reference has no visible attribute of the vocabulary",
    "invisible_recall": "the reference has no invisible attribute of the vocabulary",
}


def score(garments: Garments) -> pd.DataFrame | None:
    """Score each caption: a row each, columns METRICS, NaN where the garment is unknown; None without any truth."""
    if garments.truth is None:
        return None
    table = compare(garments.selected, garments.attributes, garments.vocabulary)
    return table.where(garments.truth["type"].notna(), axis=0)


def compare(
    selected: Sequence[Sequence[str]], references: Sequence[Sequence[str]], vocabulary: Sequence[str]
) -> pd.DataFrame:
    """Score each caption: a row each, in order, columns METRICS.

    Args:
        selected: the attributes of each caption.
        references: the attributes of each caption's item.
        vocabulary: the attributes that count.

    >>> compare([["dress", "cotton"]], [["short", "dress", "soft", "cotton"]], ["short", "dress", "cotton", "soft"])
       visible_recall  invisible_recall
    0             0.5               0.5
    """
    visible, invisible = set(vocabulary) - INVISIBLE_WORDS, INVISIBLE_WORDS.intersection(vocabulary)
    rows = [
        [_recall(set(caption), set(reference) & kind) for kind in (visible, invisible)]
        for caption, reference in zip(selected, references, strict=True)
    ]
    return pd.DataFrame(rows, columns=list(METRICS), dtype="float64")


def _recall(named: set[str], expected: set[str]) -> float:
    return len(named & expected) / len(expected) if expected else float("nan")
