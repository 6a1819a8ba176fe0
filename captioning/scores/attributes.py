"""Attribute precision and recall of captions: what the tables head MAP and MAR.

Selected are a caption's attributes in the vocabulary; true are those among the reference's attributes in the
vocabulary. precision = true / selected (0 where none is selected), recall = true / reference.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

COUNTS = ("reference", "right", "missed", "invented")


def compare(
    selected: Iterable[Iterable[str]], references: Iterable[Iterable[str]], vocabulary: Sequence[str]
) -> pd.DataFrame:
    """A row per caption, in order: `attribute_precision`, `attribute_recall`, `attributes_selected`.

    Args:
        selected: the attributes of each caption, as `captioning.tagging.extract` finds them.
        references: those of each caption's item, as data/attributes/items.parquet has them.
        vocabulary: the attributes that count.

    Returns:
        Precision and recall are NaN where the reference has no attribute in the vocabulary: such items are left out.
    """
    known = frozenset(vocabulary)
    rows = []
    for caption, reference in zip(selected, references, strict=True):
        chosen, wanted = known.intersection(caption), known.intersection(reference)
        true = len(chosen & wanted)
        precision = true / len(chosen) if chosen else 0.0
        rows.append(
            (precision, true / len(wanted), len(chosen)) if wanted else (float("nan"), float("nan"), len(chosen))
        )
    return pd.DataFrame(rows, columns=["attribute_precision", "attribute_recall", "attributes_selected"]).astype(
        "float64"
    )


def by_attribute(
    selected: Iterable[Iterable[str]], references: Iterable[Iterable[str]], vocabulary: Sequence[str]
) -> pd.DataFrame:
    """What became of each attribute in a set of captions: a row per attribute that a caption or a reference has, sorted.

    Args: those of `compare`.

    Returns:
        attribute, and numbers of items: `reference`: whose reference has it; `right`: and whose caption has it too;
        `missed`: and whose caption has not; `invented`: whose caption has it and whose reference has not. Then
        `precision` = right / (right + invented) and `recall` = right / reference, NaN where nothing is divided.
    """
    known = frozenset(vocabulary)
    counts: dict[str, Counter[str]] = {name: Counter() for name in COUNTS}
    for caption, reference in zip(selected, references, strict=True):
        chosen, wanted = known.intersection(caption), known.intersection(reference)
        found = {"reference": wanted, "right": chosen & wanted, "missed": wanted - chosen, "invented": chosen - wanted}
        for name, attributes in found.items():
            counts[name].update(attributes)
    named = sorted(set(counts["reference"]) | set(counts["invented"]))
    columns = {name: [count[attribute] for attribute in named] for name, count in counts.items()}
    table = pd.DataFrame({"attribute": pd.Series(named, dtype="str"), **columns}).astype(dict.fromkeys(COUNTS, "int64"))
    return table.assign(
        precision=table["right"] / (table["right"] + table["invented"]), recall=table["right"] / table["reference"]
    )
