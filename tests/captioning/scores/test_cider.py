import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocoevalcap.cider import cider as official

from captioning.scores.cider import Cider

TEXT = st.lists(st.sampled_from(["a", "red", "dress", "with", "long", "sleeves"]), max_size=9).map(" ".join)
PAIR = st.tuples(TEXT, st.lists(TEXT.filter(bool), min_size=1, max_size=3))


@settings(deadline=None, max_examples=50)
@given(st.lists(PAIR, min_size=1, max_size=8))
def test_equals_pycocoevalcap(pairs):
    references = {str(index): texts for index, (_, texts) in enumerate(pairs)}
    captions = {str(index): [text] for index, (text, _) in enumerate(pairs)}
    _, expected = official.Cider().compute_score(references, captions)
    ours = Cider(references).score([(item, texts[0]) for item, texts in captions.items()])
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-9)


def test_a_caption_equal_to_its_only_reference_scores_10():
    cider = Cider({"1": ["a red dress with long sleeves"], "2": ["blue jeans in washed denim"], "3": ["a cap"]})
    assert cider.score([("1", "a red dress with long sleeves")]) == pytest.approx([10.0])


def test_document_frequencies_come_from_all_references_not_only_those_scored():
    references = {"1": ["a red dress"], "2": ["a blue dress"], "3": ["a cap in cotton"]}
    cider = Cider(references)
    alone = cider.score([("1", "a red coat")])
    assert alone[0] == cider.score([("2", "a dress"), ("1", "a red coat")])[1]
    assert alone[0] != Cider({"1": ["a red dress"], "2": ["a blue dress"]}).score([("1", "a red coat")])[0]
