"""SentenceBERT of descriptions."""

from collections.abc import Callable

import numpy as np

from recsys.extractors import Options
from recsys.extractors.sbert import text_vectors

TEXTS = ["", "a red shirt with short sleeves", "a short-sleeved shirt in red", "black leather boots"]


def test_texts_of_one_meaning_are_near(options: Callable[..., Options]) -> None:
    vectors = text_vectors(TEXTS, options())
    assert vectors.shape == (4, 384)
    likeness = vectors @ vectors.T
    np.testing.assert_allclose(likeness.diagonal(), 1, atol=1e-5)
    assert likeness[1, 2] > likeness[1, 3] + 0.3


def test_rows_follow_the_texts(options: Callable[..., Options]) -> None:
    np.testing.assert_allclose(
        text_vectors(TEXTS[::-1], options(batch_size=1)), text_vectors(TEXTS, options())[::-1], atol=1e-5
    )
