"""Predicts categories by logistic regression on MiniLM's sentence vectors, or by the nearest category name.

Saves and loads these classifiers and the fine-tuned encoders of captioning/classifiers/encoder.py.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.linear_model import LogisticRegression

from features.sentences import encode
from pipeline.core.errors import UserError

if TYPE_CHECKING:
    from captioning.classifiers.encoder import SequenceClassifier

CATEGORIES = "categories.json"


@dataclass(frozen=True)
class Head:
    """A logistic head: category k of a vector x has the logit `weight[k] @ x + bias[k]`."""

    categories: tuple[str, ...]
    weight: np.ndarray  # (categories, dim), float32
    bias: np.ndarray  # (categories,), float32

    def predict(self, vectors: np.ndarray) -> list[str]:
        """Predict the category with the largest logit for each row of `vectors` (n, dim), on a tie the first one."""
        return [self.categories[best] for best in (vectors @ self.weight.T + self.bias).argmax(axis=1)]


def fit(vectors: np.ndarray, categories: Sequence[str], regularisation: float) -> Head:
    """Fit the head by scikit-learn's logistic regression.

    Args:
        vectors: (n, dim).
        categories: of the n vectors; at least two different ones.
        regularisation: C, the inverse strength of the L2 penalty.
    """
    model = LogisticRegression(C=regularisation, max_iter=1000).fit(vectors, np.asarray(categories, dtype=object))
    names, weight, bias = model.classes_.tolist(), model.coef_, model.intercept_
    if len(names) == 2:  # scikit-learn keeps one row for two classes: the logit of the second
        weight, bias = np.concatenate([0 * weight, weight]), np.concatenate([0 * bias, bias])
    return Head(tuple(names), weight.astype(np.float32), bias.astype(np.float32))


def zero_shot(vectors: np.ndarray, categories: Sequence[str]) -> list[str]:
    """Choose the category whose name is nearest by cosine to each vector.

    Args:
        vectors: MiniLM's vectors of texts, (n, 384), of length 1.
        categories: their names.
    """
    names = encode([category.lower() for category in categories])  # (categories, 384)
    return [categories[best] for best in (vectors @ names.T).argmax(axis=1)]


def save(folder: Path | str, classifier: "Head | SequenceClassifier") -> None:
    """Write categories.json, and head.safetensors or the fine-tuned encoder's own files."""
    folder = Path(folder)
    if isinstance(classifier, Head):
        arrays = {"weight": classifier.weight, "bias": classifier.bias}
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / "head.safetensors")
    else:
        classifier.save(folder)
    (folder / CATEGORIES).write_text(
        json.dumps(classifier.categories, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def load(folder: Path | str, device: str = "cpu") -> "Head | SequenceClassifier":
    """Load the classifier that `save` wrote.

    Raises:
        UserError: files are missing, or do not belong together.
    """
    folder = Path(folder)
    try:
        categories = tuple(json.loads((folder / CATEGORIES).read_text(encoding="utf-8")))
        arrays = load_file(folder / "head.safetensors") if not (folder / "config.json").exists() else {}
    except FileNotFoundError as error:
        raise UserError(f"{error.filename or folder}: no such file; run `dvc repro caption_classifier`") from None
    if not arrays:
        from captioning.classifiers import encoder

        return encoder.load(folder, categories, device)
    if len(categories) != len(arrays["weight"]):
        raise UserError(
            f"{folder}: {len(categories)} categories but {len(arrays['weight'])} rows of weights; "
            "run `dvc repro -f caption_classifier`"
        )
    return Head(categories, arrays["weight"], arrays["bias"])
