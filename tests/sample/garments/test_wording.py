"""The three styles of text: what each names, and that they share no sentence."""

import re
from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from catalogue.descriptions.vocabulary import COLOURS, INVISIBLE_WORDS, SYNONYMS, parse
from sample.garments.attributes import ALLOWED, MATERIALS, Garment, sample
from sample.garments.wording import describe, write_alt_text, write_prose

STYLES = (write_alt_text, write_prose, describe)


def some_garments(n: int, seed: int = 0) -> list[Garment]:
    rng = Random(seed)
    return [sample(rng, {kind: 1}) for kind in ALLOWED for _ in range(n)]


def four_grams(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[\w-]+", text.lower())
    return {tuple(words[i : i + 4]) for i in range(len(words) - 3)}


def test_a_description_never_names_the_colour_and_does_not_depend_on_it() -> None:
    for garment in some_garments(30):
        text = describe(garment, Random(1))
        assert not set(re.findall(r"[a-z]+", text.lower())) & set(COLOURS)
        assert text == describe(Garment(**(vars(garment) | {"colour": "red"})), Random(1))


@pytest.mark.parametrize("style", STYLES)
def test_a_text_names_the_type_and_no_wrong_pattern_or_colour(style) -> None:  # type: ignore[no-untyped-def]
    rng = Random(2)
    for garment in some_garments(30):
        named = parse(style(garment, rng).lower())
        assert named["type"] == [garment.type]
        assert named["pattern"] in ([], [garment.pattern])
        assert named["colour"] in ([], [garment.colour])


def test_alt_text_and_descriptions_always_name_the_pattern() -> None:
    rng = Random(3)
    for garment in some_garments(20):
        expected = [] if garment.pattern == "solid" else [garment.pattern]
        assert parse(describe(garment, rng))["pattern"] == expected
        assert parse(write_alt_text(garment, rng))["pattern"] == expected
        assert parse(write_alt_text(garment, rng))["colour"] == [garment.colour]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("a t-shirt", ["t-shirt"]),
        ("a shirt", ["shirt"]),
        ("a hoodie in sweatshirt fabric", ["hoodie"]),
        ("a tank top and a cap", ["cap", "vest top"]),
        ("", []),
    ],
)
def test_parse_reads_whole_words(text: str, kinds: list[str]) -> None:
    assert parse(text)["type"] == kinds


def test_no_phrase_names_two_values() -> None:
    for values in SYNONYMS.values():
        phrases = [phrase for synonyms in values.values() for phrase in synonyms]
        assert len(phrases) == len(set(phrases))
        assert all(phrase == phrase.lower() for phrase in phrases)


def test_the_shops_style_is_not_in_the_pretraining_texts() -> None:
    rng = Random(4)
    garments = some_garments(20)
    shop = [describe(garment, rng) for garment in garments]
    seen = set().union(*(four_grams(write_alt_text(garment, rng)) for garment in garments))
    assert sum(bool(four_grams(text) & seen) for text in shop) / len(shop) < 0.01
    loose = {write_prose(garment, rng) for garment in garments}
    assert not loose & set(shop)


def test_descriptions_are_mostly_distinct_and_rich() -> None:
    rng = Random(5)
    texts = [describe(sample(rng), rng) for _ in range(2300)]
    groups = Counter(texts)
    assert len(groups) > 2100
    assert max(groups.values()) <= 4
    words = [len(text.split()) for text in texts]
    assert 10 < sum(words) / len(words) < 25


def test_a_description_names_the_material_and_another_material_gives_other_words() -> None:
    for garment in some_garments(10):
        texts = {describe(replace(garment, material=material), Random(1)) for material in MATERIALS[garment.type]}
        assert len(texts) == len(MATERIALS[garment.type])


def test_the_words_that_no_picture_shows_are_those_of_material_and_last_sentence() -> None:
    rng, invisible, visible = Random(6), set(), set()
    for garment in some_garments(40):
        opening, _, tail = describe(garment, rng).lower().removesuffix(".").partition(". ")
        material = str(garment.material).removeprefix("a ")
        assert material in opening
        invisible |= set(re.findall("[a-z]+", f"{material} {tail}"))
        visible |= set(re.findall("[a-z]+", opening.replace(material, "")))
    assert invisible | {"insole"} == INVISIBLE_WORDS  # with the lemma of insoles
    assert not visible & INVISIBLE_WORDS
