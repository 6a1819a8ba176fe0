"""The lexicon: plurals, compounds, hyphens and tags."""

from random import Random

import pytest

from sample.treebank.lexicon import WORDS, Token, adjective, glue, invent_word, modifier, noun, plural, third_person


@pytest.mark.parametrize(
    ("singular", "expected"),
    [
        ("sleeve", "sleeves"),
        ("foot", "feet"),
        ("scarf", "scarves"),
        ("dress", "dresses"),
        ("body", "bodies"),
        ("toy", "toys"),
        ("brooch", "brooches"),
    ],
)
def test_plurals(singular: str, expected: str) -> None:
    assert plural(singular) == expected


def test_third_person() -> None:
    assert [third_person(verb) for verb in ("fasten", "finish", "carry", "enjoy")] == [
        "fastens",
        "finishes",
        "carries",
        "enjoys",
    ]


def test_only_the_last_word_of_a_compound_takes_the_number() -> None:
    assert [(token.form, token.lemma, token.xpos) for token in noun("hair_clip", "many")] == [
        ("hair", "hair", "NN"),
        ("clips", "clip", "NNS"),
    ]


def test_garments_without_a_singular_keep_their_s() -> None:
    assert noun("trousers", "pair") == [Token("trousers", "trousers", "NOUN", "NNS")]


def test_hyphens_are_tokens_without_spaces() -> None:
    tokens = noun("T-shirt", "many")
    assert [(token.form, token.lemma, token.space) for token in tokens] == [
        ("T", "t", False),
        ("-", "-", False),
        ("shirts", "shirt", True),
    ]


@pytest.mark.parametrize(
    ("entry", "tags"),
    [
        ("ribbed", "ADJ"), ("long-sleeved", "ADJ PUNCT ADJ"), ("knee-length", "NOUN PUNCT NOUN"),
        ("quick-drying", "ADV PUNCT ADJ"),
        ("5-pocket", "NUM PUNCT NOUN"),
    ],
)  # fmt: skip
def test_tags_of_adjectives(entry: str, tags: str) -> None:
    assert " ".join(token.upos for token in adjective(entry)) == tags


def test_a_modifier_is_an_adjective_only_if_it_looks_like_one() -> None:
    assert [modifier(entry)[-1].upos for entry in ("kangaroo", "soft", "wide-brimmed", "printed")] == [
        "NOUN",
        "ADJ",
        "ADJ",
        "ADJ",
    ]


def test_glue_takes_away_the_space_after_the_phrase_only() -> None:
    phrase = glue(noun("hair_clip"))
    assert [token.space for token in phrase] == [True, False]


def test_invented_words_are_seeded_words() -> None:
    rng = Random(1)
    words = [invent_word(rng) for _ in range(200)]
    assert all(word.isalpha() and word.islower() for word in words)
    assert len(set(words)) > 150
    assert invent_word(Random(1)) == words[0]


def test_no_word_comes_twice_in_a_list() -> None:
    assert {name: [word for word in set(words) if words.count(word) > 1] for name, words in WORDS.items()} == {
        name: [] for name in WORDS
    }
