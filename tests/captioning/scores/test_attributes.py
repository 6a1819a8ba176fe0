import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioning.scores.attributes import by_attribute, compare
from captioning.tagging.extract import extract
from tests.captioning.tagging.settings import SETTINGS

TAGGER = Path(__file__).parents[3] / "data" / "models" / "tiny-stanza"
WORDS = st.lists(st.sampled_from("abcdef"), max_size=8)
PAIRS = st.lists(st.tuples(WORDS, WORDS), max_size=5)


def slow(caption: list[str], reference: list[str], vocabulary: list[str]) -> tuple[float, float, int]:
    """Score an item by counting, as the definition says."""
    selected = [word for word in vocabulary if word in caption]
    true = [word for word in selected if word in reference]
    expected = [word for word in vocabulary if word in reference]
    if not expected:
        return math.nan, math.nan, len(selected)
    return (len(true) / len(selected) if selected else 0.0), len(true) / len(expected), len(selected)


@given(PAIRS, st.lists(st.sampled_from("abcdef"), unique=True))
def test_equals_the_definition(pairs: list[tuple[list[str], list[str]]], vocabulary: list[str]) -> None:
    table = compare([caption for caption, _ in pairs], [reference for _, reference in pairs], vocabulary)
    assert list(table.columns) == ["attribute_precision", "attribute_recall", "attributes_selected"]
    for row, (caption, reference) in zip(table.itertuples(index=False), pairs, strict=True):
        for value, expected in zip(row, slow(caption, reference, vocabulary), strict=True):
            assert value == expected or (math.isnan(value) and math.isnan(expected))


def test_the_reference_itself_is_perfect_and_a_wrong_word_costs_precision_only() -> None:
    reference, vocabulary = ["red", "cotton", "shirt"], ["red", "blue", "cotton", "shirt"]
    captions = extract(["red cotton shirt", "red cotton shirt with blue lace"], SETTINGS, TAGGER)
    table = compare(captions, [reference, reference], vocabulary)
    assert table.to_numpy().tolist() == [[1, 1, 3], [0.75, 1, 4]]


def test_empty_captions_score_zero_and_empty_references_are_left_out() -> None:
    table = compare(extract(["", "red shirt"], SETTINGS, TAGGER), [["red"], ["velvet"]], ["red", "shirt"])
    assert table.iloc[0].tolist() == [0, 0, 0]  # selects nothing: precision is 0, not missing
    assert table.iloc[1, :2].isna().all()  # the reference is not in the vocabulary: no score of 0
    assert table["attributes_selected"].tolist() == [0, 2]


def test_captions_and_references_must_match() -> None:
    with pytest.raises(ValueError, match="zip"):
        compare([["red"]], [], ["red"])


def test_no_caption_at_all() -> None:
    assert compare([], [], ["red"]).shape == (0, 3)
    assert by_attribute([], [], ["red"]).shape == (0, 7)


@given(PAIRS, st.lists(st.sampled_from("abcdef"), unique=True))
def test_each_attribute_is_counted_as_the_definition_says(
    pairs: list[tuple[list[str], list[str]]], vocabulary: list[str]
) -> None:
    captions, references = [caption for caption, _ in pairs], [reference for _, reference in pairs]
    table = by_attribute(captions, references, vocabulary).set_index("attribute")
    assert list(table.index) == sorted(
        word for word in vocabulary if any(word in [*caption, *reference] for caption, reference in pairs)
    )
    for word, row in table.iterrows():
        right = sum(word in caption and word in reference for caption, reference in pairs)
        missed = sum(word not in caption and word in reference for caption, reference in pairs)
        invented = sum(word in caption and word not in reference for caption, reference in pairs)
        assert row[["reference", "right", "missed", "invented"]].tolist() == [right + missed, right, missed, invented]
        selected, expected = right + invented, right + missed
        assert row["precision"] == right / selected if selected else math.isnan(row["precision"])
        assert row["recall"] == right / expected if expected else math.isnan(row["recall"])


@given(PAIRS)
def test_attributes_add_up_to_the_items(pairs: list[tuple[list[str], list[str]]]) -> None:
    captions, references = [caption for caption, _ in pairs], [reference for _, reference in pairs]
    total = by_attribute(captions, references, "abcdef")[["right", "invented"]].to_numpy().sum()
    assert total == compare(captions, references, "abcdef")["attributes_selected"].sum()
