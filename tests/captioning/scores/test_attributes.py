import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioning.attributes import CaptionAttributes
from captioning.scores.attributes import compare, score

TAGGER = Path(__file__).parents[3] / "data" / "models" / "tiny-stanza"
SETTINGS = CaptionAttributes(
    tagger="tiny-stanza", unit="lemma", hyphen="space", participles=True, corpus="train", colour=True, min_count=1
)
WORDS = st.lists(st.sampled_from("abcdef"), max_size=8)


def slow(caption: list[str], reference: list[str], vocabulary: list[str]) -> tuple[float, float, int]:
    """One item by counting, as the definition says it."""
    selected = [word for word in vocabulary if word in caption]
    true = [word for word in selected if word in reference]
    wanted = [word for word in vocabulary if word in reference]
    if not wanted:
        return math.nan, math.nan, len(selected)
    return (len(true) / len(selected) if selected else 0.0), len(true) / len(wanted), len(selected)


@given(st.lists(st.tuples(WORDS, WORDS), max_size=5), st.lists(st.sampled_from("abcdef"), unique=True))
def test_equals_the_definition(pairs: list[tuple[list[str], list[str]]], vocabulary: list[str]) -> None:
    table = compare([caption for caption, _ in pairs], [reference for _, reference in pairs], vocabulary)
    assert list(table.columns) == ["attribute_precision", "attribute_recall", "attributes_selected"]
    for row, (caption, reference) in zip(table.itertuples(index=False), pairs, strict=True):
        for value, wanted in zip(row, slow(caption, reference, vocabulary), strict=True):
            assert value == wanted or (math.isnan(value) and math.isnan(wanted))


def test_the_reference_itself_is_perfect_and_a_wrong_word_costs_precision_only() -> None:
    reference, vocabulary = ["red", "cotton", "shirt"], ["red", "blue", "cotton", "shirt"]
    table = score(
        ["red cotton shirt", "red cotton shirt with blue lace"], [reference, reference], vocabulary, SETTINGS, TAGGER
    )
    assert table.to_numpy().tolist() == [[1, 1, 3], [0.75, 1, 4]]


def test_empty_captions_score_zero_and_empty_references_are_left_out() -> None:
    table = score(["", "red shirt"], [["red"], ["velvet"]], ["red", "shirt"], SETTINGS, TAGGER)
    assert table.iloc[0].tolist() == [0, 0, 0]  # selects nothing: precision is 0, not missing
    assert table.iloc[1, :2].isna().all()  # the reference is not in the vocabulary: no score of 0
    assert table["attributes_selected"].tolist() == [0, 2]


def test_captions_and_references_must_match() -> None:
    with pytest.raises(ValueError, match="zip"):
        compare([["red"]], [], ["red"])


def test_no_caption_at_all() -> None:
    assert score([], [], ["red"], SETTINGS, TAGGER).shape == (0, 3)
