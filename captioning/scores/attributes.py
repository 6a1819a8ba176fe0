"""Attribute precision and recall of captions: what the tables head MAP and MAR.

Selected are a caption's attributes in the vocabulary; true are those among the reference's attributes in the
vocabulary. precision = true / selected (0 where none is selected), recall = true / reference.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from captioning.tagger.extract import extract
from captioning.tagger.settings import CaptionAttributes


def score(
    captions: Sequence[str],
    references: Sequence[Sequence[str]],
    vocabulary: Sequence[str],
    settings: CaptionAttributes,
    tagger_folder: Path | str,
    device: str = "cpu",
) -> pd.DataFrame:
    """A row per caption, in order: `attribute_precision`, `attribute_recall`, `attributes_selected`.

    Args:
        captions: texts, also empty ones.
        references: the attributes of each caption's item, as data/attributes/items.parquet has them.
        vocabulary: the attributes that count.
        settings: the switches by which the references were extracted.
        tagger_folder: the Stanza pipeline by which the references were extracted.

    Returns:
        Precision and recall are NaN where the reference has no attribute in the vocabulary: such items are left out.

    Raises:
        UserError: the tagger is missing or cannot be read.
    """
    return compare(extract(captions, settings, tagger_folder, device), references, vocabulary)


def compare(
    selected: Sequence[Sequence[str]], references: Sequence[Sequence[str]], vocabulary: Sequence[str]
) -> pd.DataFrame:
    """The scores of attributes that are already extracted."""
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
