"""Phrases of product descriptions, put together at random from the lexicon: sense is not needed, syntax and tags are."""

import random
from collections.abc import Sequence

from sample.treebank.lexicon import (
    MODIFIERS,
    PAIRS,
    WORDS,
    Number,
    Phrase,
    adjective,
    glued,
    modifier,
    noun,
    third_person,
    word,
)

Random = random.Random
COMMA = word(",", "PUNCT", ",")
DETERMINERS = {"the": "DT", "each": "DT", "both": "DT", "some": "DT", "one": "CD"}


def pick(rng: Random, name: str) -> str:
    """A word of one of the lexicon's lists."""
    return rng.choice(WORDS[name])


def determiner(form: str) -> Phrase:
    """`the`, `each`, `one`, `3`, …"""
    xpos = DETERMINERS.get(form, "CD")
    return word(form, "NUM" if xpos == "CD" else "DET", xpos)


def with_article(phrase: Phrase) -> Phrase:
    """`a` or `an` before the phrase."""
    first = phrase[0].form.lower()
    an = first[0] in "aeiou" and not first.startswith(("uni", "one", "euro"))
    return word("an" if an else "a", "DET", "DT", "a") + phrase


def quality(rng: Random) -> Phrase:
    """`soft`, `ribbed`, `lightly padded`."""
    kind = rng.random()
    if kind < 0.45:
        return adjective(pick(rng, "adjectives"))
    described = adjective(pick(rng, "participles"))
    return described if kind < 0.82 else adverb(pick(rng, "degrees")) + described


def adverb(form: str) -> Phrase:
    """An adverb."""
    return word(form, "ADV", "RB")


def qualities(rng: Random, count: int) -> Phrase:
    """Adjectives before a noun, mostly with commas between them."""
    phrase: Phrase = []
    for position in range(count):
        if position and rng.random() < 0.8:
            phrase = glued(phrase) + COMMA
        phrase += quality(rng)
    return phrase


def coordinated(rng: Random, phrases: Sequence[Phrase]) -> Phrase:
    """`x`, `x and y`, `x, y and z`, now and then `x, y, and z`."""
    joined = list(phrases[0])
    for position, phrase in enumerate(phrases[1:], 1):
        last = position == len(phrases) - 1
        if not last or (len(phrases) > 2 and rng.random() < 0.3):
            joined = glued(joined) + COMMA
        joined += (word("and", "CCONJ", "CC") if last else []) + phrase
    return joined


def preposition(form: str) -> Phrase:
    """A preposition."""
    return word(form, "ADP", "IN")


def place(rng: Random) -> Phrase:
    """`the waist`, `both sides`, `one shoulder`."""
    if rng.random() < 0.5:
        form = "the" if rng.random() < 0.85 else rng.choice(["one", "each"])
        return determiner(form) + noun(pick(rng, "places"))
    where = noun(pick(rng, "many_places"), "many")
    kind = rng.random()
    return where if kind < 0.1 else determiner("the" if kind < 0.85 else "both") + where


def at_place(rng: Random) -> Phrase:
    """`at the waist`, `down the sides`; mostly `at`."""
    return preposition("at" if rng.random() < 0.4 else pick(rng, "prepositions")) + place(rng)


def fabric(rng: Random) -> Phrase:
    """`cotton jersey`, `a soft, fine knit`, `printed satin with a sheen`."""
    entry = pick(rng, "fabrics")
    phrase = qualities(rng, rng.choice([0, 0, 1, 1, 1, 2])) + noun(entry)
    if entry.split("_")[-1] in ("knit", "mix", "blend"):
        phrase = with_article(phrase)
    kind = rng.random()
    if kind < 0.12:
        return coordinated(rng, [phrase, noun(pick(rng, "fabrics"))])
    if kind < 0.2:
        detail = noun(
            rng.choice(
                [
                    "sheen",
                    "texture",
                    "print",
                    "finish",
                    "pattern",
                    "stripe",
                    "coating",
                    "surface",
                    "drape",
                    "stretch",
                    "weave",
                    "shimmer",
                    "lustre",
                ]
            )
        )
        return phrase + preposition("with") + with_article(quality(rng) + detail)
    return phrase


def garment(rng: Random) -> tuple[Phrase, Number]:
    """A garment without adjectives, and its number."""
    kind = rng.random()
    number: Number = "one" if kind < 0.6 else "pair" if kind < 0.78 else "many"
    return noun(
        pick(rng, {"one": "garments", "pair": "pair_garments", "many": "many_garments"}[number]), number
    ), number


def described_garment(rng: Random) -> tuple[Phrase, Number]:
    """A garment with adjectives and noun modifiers, and its number."""
    phrase, number = garment(rng)
    before = modifier(rng.choice(MODIFIERS + WORDS["fabrics"])) if rng.random() < 0.35 else []
    return qualities(rng, rng.choice([0, 1, 1, 1, 2, 2, 3])) + before + phrase, number


def feature(rng: Random, article: bool = True) -> Phrase:
    """`a soft, narrow collar at the neck`, `patch pockets`, `long sleeves that can be rolled up`."""
    number: Number = rng.choice(["one", "one", "many"])
    before = [token for _ in range(rng.choice([0, 0, 0, 0, 1, 1, 1, 2])) for token in modifier(rng.choice(MODIFIERS))]
    count = rng.choice([0, 0, 1, 1]) if before else rng.choice([0, 1, 1, 1, 2, 2])
    phrase = qualities(rng, count) + before + noun(pick(rng, "features"), number)
    if article and number == "one":
        phrase = with_article(phrase)
    elif article and rng.random() < 0.15:
        phrase = determiner(pick(rng, "counts")) + phrase
    return phrase + _after_feature(rng, number)


def _after_feature(rng: Random, number: Number) -> Phrase:
    kind = rng.random()
    if kind < 0.35:
        return at_place(rng)
    if kind < 0.42:
        return relative_clause(rng, number)
    if kind < 0.47:
        return infinitive(rng)
    if kind < 0.52:
        return preposition("with") + with_article(quality(rng) + noun(pick(rng, "features")))
    if kind < 0.56:
        return preposition("in") + fabric(rng)
    if kind < 0.6:
        return preposition("for") + effect(rng)
    return []


def effect(rng: Random) -> Phrase:
    """`support`, `a good fit`, `extra warmth`."""
    phrase = qualities(rng, rng.choice([0, 0, 1])) + noun(pick(rng, "effects"))
    return with_article(phrase) if rng.random() < 0.2 else phrase


def verb_phrase(rng: Random, form: str, xpos: str, lemma: str) -> Phrase:
    """`gently lifts the bust`, `provide support`."""
    before = adverb(pick(rng, "degrees")) if rng.random() < 0.15 else []
    kind = rng.random()
    if kind < 0.35:
        what = determiner("the") + noun(pick(rng, "body"))
    elif kind < 0.55:
        what = determiner("the") + noun(pick(rng, "many_body"), "many")
    else:
        what = effect(rng)
    return before + word(form, "VERB", xpos, lemma) + what


def relative_clause(rng: Random, number: Number) -> Phrase:
    """`that shape the waist`, `that can be tied at the back`."""
    if rng.random() < 0.25:
        return word("that", "PRON", "WDT") + can_be(rng)
    verb = pick(rng, "verbs")
    form, xpos = (third_person(verb), "VBZ") if number == "one" else (verb, "VBP")
    return word("that", "PRON", "WDT") + verb_phrase(rng, form, xpos, verb)


def infinitive(rng: Random) -> Phrase:
    """`to hold the shape`."""
    verb = pick(rng, "verbs")
    return word("to", "PART", "TO") + verb_phrase(rng, verb, "VB", verb)


def can_be(rng: Random) -> Phrase:
    """`can be worn in two ways`."""
    form, verb = rng.choice(PAIRS["can_be"])
    phrase = word("can", "AUX", "MD") + word("be", "AUX", "VB") + word(form, "VERB", "VBN", verb)
    kind = rng.random()
    if kind < 0.35:
        return phrase + preposition("in") + determiner(pick(rng, "counts")) + noun("way", "many")
    if kind < 0.6:
        return phrase + preposition("with") + with_article(garment(rng)[0])
    return phrase + at_place(rng)
