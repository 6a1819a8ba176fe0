import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocoevalcap.bleu.bleu import Bleu

from captioning.scores.bleu import STATISTICS, bleu_from_statistics, bleu_statistics

TEXT = st.lists(st.sampled_from(["a", "red", "dress", "with", "long", "sleeves"]), max_size=9).map(" ".join)
PAIR = st.tuples(TEXT, st.lists(TEXT.filter(bool), min_size=1, max_size=3))


def official(pairs):
    """Compute BLEU-1..4 with pycocoevalcap: corpus (4,), items (n, 4)."""
    references = {index: texts for index, (_, texts) in enumerate(pairs)}
    captions = {index: [text] for index, (text, _) in enumerate(pairs)}
    corpus, items = Bleu(4).compute_score(references, captions, verbose=0)
    return np.array(corpus), np.array(items).T


@settings(deadline=None, max_examples=50)
@given(st.lists(PAIR, min_size=1, max_size=8))
def test_equals_pycocoevalcap_per_item_and_from_sums(pairs):
    corpus, items = official(pairs)
    statistics = bleu_statistics(pairs)
    assert statistics.shape == (len(pairs), len(STATISTICS))
    np.testing.assert_allclose(bleu_from_statistics(statistics), items, rtol=0, atol=1e-12)
    np.testing.assert_allclose(bleu_from_statistics(statistics.sum(axis=0)), corpus, rtol=0, atol=1e-12)


@settings(deadline=None, max_examples=50)
@given(st.lists(PAIR, min_size=2, max_size=8), st.data())
def test_a_resample_scored_from_its_sums_is_the_corpus_of_its_items(pairs, data):
    drawn = data.draw(st.lists(st.integers(0, len(pairs) - 1), min_size=1, max_size=10))
    counts = np.bincount(drawn, minlength=len(pairs)).astype(float)
    sums = np.stack([counts, np.ones(len(pairs))]) @ bleu_statistics(pairs)  # two draws at once: (2, 10)
    np.testing.assert_allclose(
        bleu_from_statistics(sums), [official([pairs[index] for index in drawn])[0], official(pairs)[0]], atol=1e-12
    )


def test_a_caption_equal_to_a_reference_has_bleu_1():
    pairs = [("a red dress with long sleeves", ["a coat", "a red dress with long sleeves"])]
    assert bleu_from_statistics(bleu_statistics(pairs)) == pytest.approx(np.ones((1, 4)), abs=1e-8)


def test_an_empty_caption_scores_0():
    assert bleu_from_statistics(bleu_statistics([("", ["a red dress"])])).max() < 1e-12
