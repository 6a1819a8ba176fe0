"""Core precision: of the type, colour and pattern that a caption names, the share that is true of its garment.

For the sample only, where the truth is known. It needs no reference text, so it sees wrong attributes that BLEU and
recall do not.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from catalogue.descriptions.vocabulary import parse

ATTRIBUTES = ("type", "colour", "pattern")


def score(captions: Sequence[str], truth: pd.DataFrame) -> np.ndarray:
    """Core precision of each caption: (n,), float64; NaN where the caption names no type, colour or pattern.

    Args:
        captions: texts in any style; a value counts once, however often and by whatever synonym it is named.
        truth: columns type, colour, pattern; the rows in the order of the captions.
    """
    if len(captions) != len(truth):
        raise ValueError(f"{len(captions)} captions for {len(truth)} rows of truth")
    rows = truth[list(ATTRIBUTES)].to_dict("records")
    return np.array([_precision(caption, row) for caption, row in zip(captions, rows, strict=True)], dtype=np.float64)


def by_attribute(captions: Sequence[str], truth: pd.DataFrame) -> pd.DataFrame:
    """The same for each attribute alone: `core_type`, `core_colour`, `core_pattern`, NaN where a caption does not name it.

    Two styles can be compared only on what both name: a shop that never names the easy colour lowers the joint figure.
    """
    scores = {}
    for attribute in ATTRIBUTES:
        named = [parse(caption)[attribute] for caption in captions]
        scores[f"core_{attribute}"] = [
            sum(value == true for value in values) / len(values) if values else float("nan")
            for values, true in zip(named, truth[attribute], strict=True)
        ]
    return pd.DataFrame(scores, dtype=np.float64)


def _precision(caption: str, truth: dict) -> float:
    named = [(attribute, value) for attribute, values in parse(caption).items() for value in values]
    true = sum(truth[attribute] == value for attribute, value in named)
    return true / len(named) if named else float("nan")
