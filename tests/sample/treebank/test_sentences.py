"""Every kind of generated sentence: whole words, known tags, right articles."""

from collections.abc import Callable
from itertools import pairwise
from random import Random

import pytest

from sample.treebank import sentences
from sample.treebank.lexicon import Phrase
from sample.treebank.treebank import OPENINGS, SENTENCES

UPOS = {"ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "NOUN", "NUM", "PART", "PRON", "PUNCT", "SYM", "VERB", "X"}


@pytest.mark.parametrize("make", [*SENTENCES, *OPENINGS, sentences.alt_text])
def test_every_kind_of_sentence_has_whole_words_with_known_tags(make: Callable[[Random], Phrase]) -> None:
    rng = Random(3)
    for _ in range(100):
        phrase = make(rng)
        assert phrase
        assert all(token.form and not any(sign.isspace() for sign in token.form + token.lemma) for token in phrase)
        assert {token.upos for token in phrase} <= UPOS


def test_alt_text_is_one_phrase_without_a_full_stop() -> None:
    rng = Random(4)
    assert all("." not in [token.form for token in sentences.alt_text(rng)] for _ in range(200))


def test_articles_follow_the_sound_of_the_next_word() -> None:
    rng = Random(5)
    phrases = [sentences.alt_text(rng) for _ in range(300)]
    pairs = [(a.form, b.form) for phrase in phrases for a, b in pairwise(phrase) if a.lemma == "a" and a.upos == "DET"]
    assert pairs
    assert all(article == "an" for article, following in pairs if following[0] in "aio")
    assert all(article == "a" for article, following in pairs if following[0] not in "aeiou")
