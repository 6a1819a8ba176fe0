"""The vocabulary that captions are scored by."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioning.tagging.extract import extract
from captioning.tagging.settings import CaptionAttributes
from captioning.tagging.vocabulary import choose_words, list_colours, select_frequent, write_out
from catalogue.descriptions.vocabulary import COLOURS
from catalogue.readers import NO_COLOUR
from pipeline.core.params import REFERENCE, load
from pipeline.model_folders import MODELS

WORDS = st.sampled_from(["red", "blue", "shirt", "sleeve", "zip"])


@given(st.lists(st.lists(WORDS)), st.integers(1, 4))
def test_vocabulary_counts_documents_not_words(documents: list[list[str]], min_count: int) -> None:
    slow = [
        word
        for word in sorted({w for d in documents for w in d})
        if len([d for d in documents if word in d]) >= min_count
    ]
    assert select_frequent(documents, min_count) == slow


@pytest.mark.parametrize("word", [NO_COLOUR, NO_COLOUR.title(), NO_COLOUR.upper()])
def test_what_stands_where_there_is_no_colour_is_none(word: str) -> None:
    assert list_colours(pd.DataFrame({"colour": ["Red", word, None, "Another"]})) == ["Another", "Red"]


def test_the_samples_colours_are_words_already() -> None:
    settings = CaptionAttributes.model_validate(load(REFERENCE)["caption_attributes"])
    tagged = extract([write_out(colour) for colour in COLOURS], settings, MODELS / settings.tagger)
    assert [choose_words(colour, words) for colour, words in zip(COLOURS, tagged, strict=True)] == [
        [c] for c in COLOURS
    ]
