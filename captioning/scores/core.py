"""Core precision: of the type, colour and pattern that a caption names, the share that is true of its garment.

    core precision = true values / values that the caption names; NaN where it names none

For the sample only, where the truth is known. It needs no reference text, so it sees wrong attributes that BLEU and
recall do not. The score of a set is the mean over the captions that have a value.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from captioning.scores import Garments
from catalogue.descriptions.vocabulary import parse

ATTRIBUTES = ("type", "colour", "pattern")
METRICS: tuple[str, ...] = ("core_precision", *(f"core_{attribute}" for attribute in ATTRIBUTES))
LEFT_OUT: Mapping[str, str] = {
    "core_precision": "the caption names no type, colour or pattern",
    **{f"core_{attribute}": f"the caption names no {attribute}" for attribute in ATTRIBUTES},
}


def score(garments: Garments) -> pd.DataFrame | None:
    """Score each caption: a row each, columns METRICS, NaN where the garment is unknown; None without any truth."""
    if garments.truth is None:
        return None
    table = by_attribute(garments.captions, garments.truth)
    table.insert(0, "core_precision", core_precision(garments.captions, garments.truth))
    return table.where(garments.truth["type"].notna(), axis=0)


def core_precision(captions: Sequence[str], truth: pd.DataFrame) -> np.ndarray:
    """Compute core precision of each caption: (n,), float64; NaN where the caption names no type, colour or pattern.

    Args:
        captions: texts in any style; a value counts once, however often and by any of its synonyms it is named.
        truth: columns type, colour, pattern; the rows in the order of the captions.

    >>> truth = pd.DataFrame({"type": ["dress"] * 3, "colour": ["red"] * 3, "pattern": ["solid"] * 3})
    >>> core_precision(["a red dress", "a blue dress", "soft cotton"], truth).tolist()
    [1.0, 0.5, nan]
    """
    if len(captions) != len(truth):
        raise ValueError(f"{len(captions)} captions for {len(truth)} rows of truth")
    rows = truth[list(ATTRIBUTES)].to_dict("records")
    return np.array([_precision(caption, row) for caption, row in zip(captions, rows, strict=True)], dtype=np.float64)


def by_attribute(captions: Sequence[str], truth: pd.DataFrame) -> pd.DataFrame:
    """Compute the same for each attribute alone: a row per caption, NaN where it does not name the attribute.

    Two styles can be compared only on what both name: a shop that never names the easy colour lowers the joint figure.

    Returns:
        Columns core_type, core_colour, core_pattern.
    """
    scores = {}
    for attribute in ATTRIBUTES:
        named = [parse(caption)[attribute] for caption in captions]
        scores[f"core_{attribute}"] = [
            sum(value == true for value in values) / len(values) if values else float("nan")
            for values, true in zip(named, truth[attribute], strict=True)
        ]
    return pd.DataFrame(scores, dtype=np.float64)


def _precision(caption: str, truth: Mapping) -> float:
    named = [(attribute, value) for attribute, values in parse(caption).items() for value in values]
    true = sum(truth[attribute] == value for attribute, value in named)
    return true / len(named) if named else float("nan")
