"""Accuracy: is a garment's category the one that a classifier reads from its caption?

    accuracy = captions whose predicted category is the true one / captions

`accuracy` is by the classifier that learned from the shop's own descriptions, so that other prose is foreign to it.
`accuracy_zero_shot` is by the category name whose MiniLM vector is nearest to the caption's, which knows no shop.
Compare captioners by both, or not at all, and against what the true descriptions reach.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from captioning.classifiers.logistic import Head, load, zero_shot
from captioning.scores import Garments
from features.sentences import encode

METRICS: tuple[str, ...] = ("accuracy", "accuracy_zero_shot")
LEFT_OUT: Mapping[str, str] = {}


def score(garments: Garments) -> pd.DataFrame:
    """Score each caption: a row each, columns METRICS, 0 or 1."""
    return compare(garments.categories, garments.predicted, garments.nearest)


def classify(
    captions: Sequence[str], classifier_folder: Path | str, device: str = "cpu"
) -> tuple[list[str], list[str]]:
    """Predict the category of each caption (n).

    Args:
        captions: texts, also empty ones.
        classifier_folder: the output of the stage caption_classifier; its categories are the choice.
        device: where the models run, `cpu` or `cuda`.

    Returns:
        By the classifier, and by the nearest category name.

    Raises:
        UserError: the classifier is missing.
    """
    classifier = load(classifier_folder, device)
    vectors = encode(list(captions), device=device)  # (n, 384)
    predicted = classifier.predict(vectors) if isinstance(classifier, Head) else classifier.predict(captions)
    return predicted, zero_shot(vectors, classifier.categories)


def compare(categories: Sequence[str], predicted: Sequence[str], nearest: Sequence[str]) -> pd.DataFrame:
    """Compare the true category of each caption with both predictions: a row each, columns METRICS, 0 or 1 (float64).

    >>> compare(["dress", "cap"], ["dress", "dress"], ["cap", "cap"]).astype(int).to_numpy().tolist()
    [[1, 0], [0, 1]]
    """
    truth = np.asarray(categories, dtype=object)
    by_metric = zip(METRICS, (predicted, nearest), strict=True)
    return pd.DataFrame(
        {metric: (np.asarray(guesses, dtype=object) == truth).astype("float64") for metric, guesses in by_metric}
    )


def count_confusions(categories: Iterable[str], predicted: Iterable[str]) -> pd.DataFrame:
    """Count each pair of true and predicted category, right ones too, sorted by their names.

    Returns:
        true_category, predicted_category, items: a row per pair that occurs.

    >>> count_confusions(["dress", "dress", "cap"], ["dress", "cap", "cap"]).to_numpy().tolist()
    [['cap', 'cap', 1], ['dress', 'cap', 1], ['dress', 'dress', 1]]
    """
    pairs = pd.DataFrame({"true_category": list(categories), "predicted_category": list(predicted)}, dtype="str")
    return pairs.groupby(list(pairs.columns), sort=True).size().reset_index(name="items")
