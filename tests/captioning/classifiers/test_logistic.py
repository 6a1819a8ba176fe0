from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from captioning.classifiers.logistic import Head, fit, load, save
from pipeline.core.errors import UserError

RNG = np.random.default_rng(0)


def clusters(names: list[str], spread: float = 0.3) -> tuple[np.ndarray, list[str]]:
    centres = RNG.normal(size=(len(names), 6))
    labels = np.repeat(np.arange(len(names)), 20)
    return (centres[labels] + spread * RNG.normal(size=(len(labels), 6))).astype(np.float32), [
        names[label] for label in labels
    ]


@pytest.mark.parametrize("names", [["b", "a", "c"], ["yes", "no"]])
def test_equals_scikit_learn(names: list[str]) -> None:
    vectors, labels = clusters(names, spread=1.5)
    peer = LogisticRegression(C=0.5, max_iter=1000).fit(vectors, labels)
    assert fit(vectors, labels, 0.5).predict(vectors) == peer.predict(vectors).tolist()


def test_negative_logits_are_compared_as_they_are() -> None:
    """The study put a ReLU on the logits: where all were negative, the first category won."""
    head = Head(("a", "b"), np.array([[1.0], [1.0]], dtype=np.float32), np.array([-3.0, -2.0], dtype=np.float32))
    assert head.predict(np.array([[0.5]], dtype=np.float32)) == ["b"]


def test_ties_go_to_the_first_category() -> None:
    head = Head(("a", "b"), np.zeros((2, 3), dtype=np.float32), np.zeros(2, dtype=np.float32))
    assert head.predict(np.ones((1, 3), dtype=np.float32)) == ["a"]


def test_saved_and_loaded(tmp_path: Path) -> None:
    vectors, labels = clusters(["Dress", "Shirt", "Coat"])
    head = fit(vectors, labels, 1.0)
    save(tmp_path, head)
    again = load(tmp_path)
    assert again.categories == ("Coat", "Dress", "Shirt")
    assert np.array_equal(again.weight, head.weight)
    assert np.array_equal(again.bias, head.bias)


def test_parts_that_do_not_belong_together(tmp_path: Path) -> None:
    save(tmp_path, fit(*clusters(["a", "b", "c"]), 1.0))
    (tmp_path / "categories.json").write_text('["a", "b"]')
    with pytest.raises(UserError, match="2 categories but 3 rows"):
        load(tmp_path)
