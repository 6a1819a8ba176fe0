"""Attribute precision and recall (MAP and MAR in the tables): does a caption name the attributes of its item?

    precision = true / selected, 0 where no attribute is selected
    recall = true / reference

where `selected` counts the caption's attributes in the vocabulary, `reference` those of the item's reference in the
vocabulary, and `true` the attributes in both. The score of a set is the mean over its items; items whose reference
has no attribute in the vocabulary are left out.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from captioning.scores import Garments

METRICS: tuple[str, ...] = ("attribute_precision", "attribute_recall", "attributes_selected")
LEFT_OUT: Mapping[str, str] = {"attribute_precision": "the reference has no attribute of the vocabulary"}
COUNTS = ("reference", "right", "missed", "invented")


def score(garments: Garments) -> pd.DataFrame:
    """Score each caption: a row each, columns METRICS."""
    return compare(garments.selected, garments.attributes, garments.vocabulary)


def compare(
    selected: Iterable[Iterable[str]], references: Iterable[Iterable[str]], vocabulary: Sequence[str]
) -> pd.DataFrame:
    """Score each caption: a row each, in order, columns METRICS.

    Args:
        selected: the attributes of each caption, as `captioning.tagging.extract` finds them.
        references: the attributes of each caption's item, as data/attributes/items.parquet has them.
        vocabulary: the attributes that count.

    Returns:
        Precision and recall are NaN where the reference has no attribute in the vocabulary.

    >>> captions, references = [["red", "blue", "dress"], [], ["coat"]], [["red", "dress"], ["cap"], ["hem"]]
    >>> compare(captions, references, ["blue", "cap", "red", "dress"])
       attribute_precision  attribute_recall  attributes_selected
    0             0.666667               1.0                  3.0
    1             0.000000               0.0                  0.0
    2                  NaN               NaN                  0.0
    """
    known = frozenset(vocabulary)
    rows = []
    for caption, reference in zip(selected, references, strict=True):
        chosen, expected = known.intersection(caption), known.intersection(reference)
        true = len(chosen & expected)
        precision = true / len(chosen) if chosen else 0.0
        recall = true / len(expected) if expected else float("nan")
        rows.append((precision if expected else float("nan"), recall, len(chosen)))
    return pd.DataFrame(rows, columns=list(METRICS)).astype("float64")


def by_attribute(
    selected: Iterable[Iterable[str]], references: Iterable[Iterable[str]], vocabulary: Sequence[str]
) -> pd.DataFrame:
    """Count how captions use each attribute: a row per attribute that a caption or a reference has, sorted.

    Args:
        selected: the attributes of each caption.
        references: the attributes of each caption's item.
        vocabulary: the attributes that count.

    Returns:
        attribute, and numbers of items: `reference`: its reference has the attribute; `right`: its caption has it too;
        `missed`: its caption does not have it; `invented`: its caption has it and its reference does not. Then
        `precision` = right / (right + invented) and `recall` = right / reference, NaN where the divider is 0.

    >>> by_attribute([["red", "dress"], ["red"]], [["red", "dress"], ["blue"]], ["blue", "dress", "red"]).iloc[:, :5]
      attribute  reference  right  missed  invented
    0      blue          1      0       1         0
    1     dress          1      1       0         0
    2       red          1      1       0         1
    """
    known = frozenset(vocabulary)
    counts: dict[str, Counter[str]] = {name: Counter() for name in COUNTS}
    for caption, reference in zip(selected, references, strict=True):
        chosen, expected = known.intersection(caption), known.intersection(reference)
        counts["reference"].update(expected)
        counts["right"].update(chosen & expected)
        counts["missed"].update(expected - chosen)
        counts["invented"].update(chosen - expected)
    named = sorted(set(counts["reference"]) | set(counts["invented"]))
    columns = {name: [count[attribute] for attribute in named] for name, count in counts.items()}
    table = pd.DataFrame({"attribute": pd.Series(named, dtype="str"), **columns}).astype(dict.fromkeys(COUNTS, "int64"))
    return table.assign(
        precision=table["right"] / (table["right"] + table["invented"]), recall=table["right"] / table["reference"]
    )
