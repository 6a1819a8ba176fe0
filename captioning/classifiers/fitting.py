"""Fits the category classifier that params.yaml names, and measures how often it is right in each split."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd

from captioning.classifiers import logistic
from captioning.classifiers.settings import CaptionClassifier
from features.sentences import MINILM, encode
from pipeline.model_folders import MODELS

if TYPE_CHECKING:
    from captioning.classifiers.encoder import SequenceClassifier

SPLITS = ("train", "validation", "test")


class Predictions(NamedTuple):
    """A classifier, and what is predicted from each item's description.

    Attributes:
        classifier: learned from the training items.
        predicted: the category that the classifier predicts.
        nearest: the category whose name is nearest to the description.
    """

    classifier: "logistic.Head | SequenceClassifier"
    predicted: list[str]
    nearest: list[str]


def fit(items: pd.DataFrame, settings: CaptionClassifier, device: str) -> Predictions:
    """Fit the classifier to the training items, and predict the category of every item.

    Args:
        items: columns description, category, split.
        settings: the section `caption_classifier`.
        device: where the models run, `cpu` or `cuda`.
    """
    descriptions = items["description"].tolist()
    vectors = encode(descriptions, device=device)  # (items, 384)
    if settings.encoder == MINILM:
        in_train = items["split"].eq("train").to_numpy()
        head = logistic.fit(vectors[in_train], items["category"][in_train].tolist(), settings.regularisation)
        return Predictions(head, head.predict(vectors), logistic.zero_shot(vectors, head.categories))
    from captioning.classifiers import encoder  # transformers' Trainer: seconds

    train, validation = (
        (rows["description"].tolist(), rows["category"].tolist())
        for rows in (items[items["split"].eq(split)] for split in ("train", "validation"))
    )
    tuned = encoder.fit(MODELS / settings.encoder, train, validation, settings, device)
    return Predictions(tuned, tuned.predict(descriptions), logistic.zero_shot(vectors, tuned.categories))


def measure_accuracy(items: pd.DataFrame, predicted: Sequence[str], name: str) -> dict[str, float | int]:
    """Measure the share of right predictions in each split, and count its items.

    Args:
        items: columns category, split.
        predicted: the predicted category of each item.
        name: of the metric.

    >>> items = pd.DataFrame({"category": ["cap", "tie", "cap"], "split": ["train", "train", "test"]})
    >>> metrics = measure_accuracy(items, ["cap", "cap", "cap"], "accuracy")
    >>> metrics["train_accuracy"], metrics["train_items"], metrics["test_accuracy"]
    (0.5, 2, 1.0)
    """
    right = items["category"].eq(pd.Series(predicted))
    metrics: dict[str, float | int] = {}
    for split in SPLITS:
        in_split = items["split"].eq(split)
        metrics |= {f"{split}_{name}": float(right[in_split].mean()), f"{split}_items": int(in_split.sum())}
    return metrics
