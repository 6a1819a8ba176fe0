"""The category classifier: a multinomial logistic regression on MiniLM's sentence vectors, which stay as they are."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file
from sklearn.linear_model import LogisticRegression

from pipeline.errors import UserError


@dataclass(frozen=True)
class Head:
    """Category k of a vector x has the logit `weight[k] @ x + bias[k]`."""

    categories: tuple[str, ...]
    weight: np.ndarray  # (categories, dim), float32
    bias: np.ndarray  # (categories,), float32

    def predict(self, vectors: np.ndarray) -> list[str]:
        """The category with the largest logit for each row of `vectors` (n, dim); the first in the alphabet on a tie."""
        return [self.categories[best] for best in (vectors @ self.weight.T + self.bias).argmax(axis=1)]


def fit(vectors: np.ndarray, categories: Sequence[str], regularisation: float) -> Head:
    """The head that scikit-learn's logistic regression finds.

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


def save(folder: Path | str, head: Head) -> None:
    """Writes head.safetensors and categories.json."""
    save_file(
        {"weight": np.ascontiguousarray(head.weight), "bias": np.ascontiguousarray(head.bias)},
        Path(folder) / "head.safetensors",
    )
    (Path(folder) / "categories.json").write_text(
        json.dumps(head.categories, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def load(folder: Path | str) -> Head:
    """The head that `save` wrote.

    Raises:
        UserError: files are missing, or do not belong together.
    """
    folder = Path(folder)
    try:
        categories = tuple(json.loads((folder / "categories.json").read_text(encoding="utf-8")))
        arrays = load_file(folder / "head.safetensors")
    except FileNotFoundError as error:
        raise UserError(f"{error.filename or folder}: no such file; run `dvc repro caption_classifier`") from None
    if len(categories) != len(arrays["weight"]):
        raise UserError(
            f"{folder}: {len(categories)} categories but {len(arrays['weight'])} rows of weights; run `dvc repro -f caption_classifier`"
        )
    return Head(categories, arrays["weight"], arrays["bias"])
