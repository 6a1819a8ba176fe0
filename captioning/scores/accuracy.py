"""Accuracy: is a garment's category the one that its caption says?

Two classifiers read the caption. `accuracy`: the head that was fitted on the shop's own descriptions, so that other
prose is foreign to it. `accuracy_zero_shot`: the category name whose MiniLM vector is nearest to the caption's, which
knows no shop. Compare captioners by both, or not at all.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from captioning.categories import load
from pipeline import minilm


def score(captions: Sequence[str], categories: Sequence[str], classifier_folder: Path | str) -> pd.DataFrame:
    """A row per caption, in order: `accuracy`, `accuracy_zero_shot`, each 0 or 1 (float64).

    Args:
        captions: texts, also empty ones.
        categories: the true category of each caption's item.
        classifier_folder: what the stage caption_classifier wrote; its categories are those to choose from.

    Raises:
        UserError: the classifier is missing.
    """
    head = load(classifier_folder)
    vectors = minilm.encode(list(captions))  # (n, 384)
    truth = np.asarray(categories, dtype=object)
    fitted = np.asarray(head.predict(vectors), dtype=object)
    nearest = np.asarray(zero_shot(vectors, head.categories), dtype=object)
    return pd.DataFrame({"accuracy": fitted == truth, "accuracy_zero_shot": nearest == truth}).astype("float64")


def zero_shot(vectors: np.ndarray, categories: Sequence[str]) -> list[str]:
    """The category whose name is nearest by cosine to each row of `vectors` (n, 384, length 1)."""
    names = minilm.encode([category.lower() for category in categories])  # (categories, 384)
    return [categories[best] for best in (vectors @ names.T).argmax(axis=1)]
