"""Every text has its catalogue and the source of its words."""

from typing import get_args

from catalogue.descriptions.variants import (
    CAPTIONER_SOURCES,
    CATALOGUE_OF,
    SHOP_SOURCES,
    SOURCE_OF,
    SOURCES,
    Catalogue,
    Text,
    is_masked,
    is_written_by_captioner,
    name_masked_text,
)


def test_every_text_has_a_catalogue_and_a_source() -> None:
    assert set(CATALOGUE_OF) == set(SOURCE_OF) == set(get_args(Text))
    assert set(CATALOGUE_OF.values()) == set(get_args(Catalogue))
    assert set(SOURCE_OF.values()) <= set(SOURCES)


def test_masked_texts_are_named_by_the_source_of_their_words() -> None:
    masked = [text for text in SOURCE_OF if is_masked(text)]
    assert masked == [name_masked_text(SOURCE_OF[text]) for text in masked]
    assert masked == ["masked-reference", "masked-ft", "masked-pt", "masked-none"]
    assert {CATALOGUE_OF[text] for text in masked} == {"original"}


def test_a_source_is_of_the_shop_or_of_a_captioner_or_has_no_words() -> None:
    assert sorted(SOURCES) == sorted(["none", *SHOP_SOURCES, *CAPTIONER_SOURCES])
    assert [source for source in SOURCES if is_written_by_captioner(source)] == ["pt", "ft"]
    assert SOURCES[-1] == "ft"  # recsys.features encodes fine-tuned captions last
