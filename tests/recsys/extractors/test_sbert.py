"""SentenceBERT of descriptions."""

import numpy as np

from recsys.extractors import sbert
from tests.recsys.extractors.settings import settings_of

TEXTS = ["", "a red shirt with short sleeves", "a short-sleeved shirt in red", "black leather boots"]


def test_texts_of_one_meaning_are_near() -> None:
    vectors = sbert.text_vectors(TEXTS, settings_of(sbert), "cpu")
    assert vectors.shape == (4, 384)
    likeness = vectors @ vectors.T
    np.testing.assert_allclose(likeness.diagonal(), 1, atol=1e-5)
    assert likeness[1, 2] > likeness[1, 3] + 0.3


def test_rows_follow_the_texts() -> None:
    backwards = sbert.text_vectors(TEXTS[::-1], settings_of(sbert, batch_size=1), "cpu")
    np.testing.assert_allclose(backwards, sbert.text_vectors(TEXTS, settings_of(sbert), "cpu")[::-1], atol=1e-5)
