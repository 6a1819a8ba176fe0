"""Accuracy: is a garment's category the one that its caption says?

Two classifiers read the caption. `accuracy`: the one that learned from the shop's own descriptions, so that other
prose is foreign to it. `accuracy_zero_shot`: the category name whose MiniLM vector is nearest to the caption's, which
knows no shop. Compare captioners by both, or not at all, and against what the true descriptions reach.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from captioning.classifiers.logistic import Head, load, zero_shot
from features.sentences import encode


def score(
    captions: Sequence[str], categories: Sequence[str], classifier_folder: Path | str, device: str = "cpu"
) -> pd.DataFrame:
    """A row per caption, in order: `accuracy`, `accuracy_zero_shot`, each 0 or 1 (float64), and `predicted_category`.

    Args:
        captions: texts, also empty ones.
        categories: the true category of each caption's item.
        classifier_folder: what the stage caption_classifier wrote; its categories are those to choose from.

    Raises:
        UserError: the classifier is missing.
    """
    classifier = load(classifier_folder, device)
    vectors = encode(list(captions), device=device)  # (n, 384)
    predicted = classifier.predict(vectors) if isinstance(classifier, Head) else classifier.predict(captions)
    nearest = zero_shot(vectors, classifier.categories)
    truth = np.asarray(categories, dtype=object)
    return pd.DataFrame(
        {
            "accuracy": (np.asarray(predicted, dtype=object) == truth).astype("float64"),
            "accuracy_zero_shot": (np.asarray(nearest, dtype=object) == truth).astype("float64"),
            "predicted_category": pd.Series(predicted, dtype="str"),
        }
    )


def confusions(categories: Iterable[str], predicted: Iterable[str]) -> pd.DataFrame:
    """true_category, predicted_category, items: a row per pair that comes up, right ones too, sorted by their names."""
    pairs = pd.DataFrame({"true_category": list(categories), "predicted_category": list(predicted)}, dtype="str")
    return pairs.groupby(list(pairs.columns), sort=True).size().reset_index(name="items")
