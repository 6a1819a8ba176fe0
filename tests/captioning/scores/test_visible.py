"""Recall by what a picture can show: a partition of attribute recall."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from captioning.scores import attributes, visible
from catalogue.descriptions.vocabulary import INVISIBLE_WORDS

VOCABULARY = ["belt", "cotton", "dress", "neckline", "soft", "striped", "wool"]
WORDS = st.lists(st.sampled_from([*VOCABULARY, "hem", "velvet"]), unique=True)


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=8))
def test_both_recalls_weighted_by_their_attributes_are_attribute_recall(
    pairs: list[tuple[list[str], list[str]]],
) -> None:
    selected, references = zip(*pairs, strict=True)
    table = visible.compare(selected, references, VOCABULARY)
    whole = attributes.compare(selected, references, VOCABULARY)["attribute_recall"]
    known = [set(reference) & set(VOCABULARY) for reference in references]
    counts = np.array([[len(words - INVISIBLE_WORDS), len(words & INVISIBLE_WORDS)] for words in known])
    assert table.isna().to_numpy().tolist() == (counts == 0).tolist()
    right = (table.fillna(0).to_numpy() * counts).sum(axis=1)
    np.testing.assert_allclose(right, whole.fillna(0) * counts.sum(axis=1))


def test_a_caption_of_what_is_seen_misses_only_what_is_not() -> None:
    table = visible.compare([["dress", "striped", "neckline"]], [["dress", "striped", "soft", "cotton"]], VOCABULARY)
    assert table.equals(pd.DataFrame({"visible_recall": [1.0], "invisible_recall": [0.0]}))
