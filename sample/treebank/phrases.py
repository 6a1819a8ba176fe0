"""Builds phrases of product descriptions at random from the lexicon, with right syntax and tags; sense is not needed.

Each function is named after the phrase that it builds.
"""

from collections.abc import Sequence
from random import Random

from sample.treebank.lexicon import (
    MODIFIERS,
    PAIRS,
    WORDS,
    Number,
    Phrase,
    adjective,
    glue,
    modifier,
    noun,
    third_person,
    word,
)

COMMA = word(",", "PUNCT", ",")
DETAILS = (  # of a fabric, after `with`
    "sheen", "texture", "print", "finish", "pattern", "stripe", "coating", "surface", "drape", "stretch", "weave",
    "shimmer", "lustre",
)  # fmt: skip
DETERMINERS = {"the": "DT", "each": "DT", "both": "DT", "some": "DT", "one": "CD"}


def pick(rng: Random, name: str) -> str:
    """Draw a word of a list of the lexicon."""
    return rng.choice(WORDS[name])


def determiner(form: str) -> Phrase:
    """Build `the`, `each`, `one` or `3`."""
    xpos = DETERMINERS.get(form, "CD")
    return word(form, "NUM" if xpos == "CD" else "DET", xpos)


def with_article(phrase: Phrase) -> Phrase:
    """Put `a` or `an` before the phrase."""
    first = phrase[0].form.lower()
    an = first[0] in "aeiou" and not first.startswith(("uni", "one", "euro"))
    return word("an" if an else "a", "DET", "DT", "a") + phrase


def quality(rng: Random) -> Phrase:
    """Build `soft`, `ribbed` or `lightly padded`."""
    kind = rng.random()
    if kind < 0.45:
        return adjective(pick(rng, "adjectives"))
    described = adjective(pick(rng, "participles"))
    return described if kind < 0.82 else adverb(pick(rng, "degrees")) + described


def adverb(form: str) -> Phrase:
    """Build an adverb."""
    return word(form, "ADV", "RB")


def qualities(rng: Random, count: int) -> Phrase:
    """Build adjectives before a noun, mostly with commas between them."""
    phrase: Phrase = []
    for position in range(count):
        if position and rng.random() < 0.8:
            phrase = glue(phrase) + COMMA
        phrase += quality(rng)
    return phrase


def coordinate(rng: Random, phrases: Sequence[Phrase]) -> Phrase:
    """Join phrases as `x`, `x and y` or `x, y and z`, sometimes as `x, y, and z`."""
    joined = list(phrases[0])
    for position, phrase in enumerate(phrases[1:], 1):
        last = position == len(phrases) - 1
        if not last or (len(phrases) > 2 and rng.random() < 0.3):
            joined = glue(joined) + COMMA
        joined += (word("and", "CCONJ", "CC") if last else []) + phrase
    return joined


def preposition(form: str) -> Phrase:
    """Build a preposition."""
    return word(form, "ADP", "IN")


def location(rng: Random) -> Phrase:
    """Build `the waist`, `both sides` or `one shoulder`."""
    if rng.random() < 0.5:
        form = "the" if rng.random() < 0.85 else rng.choice(["one", "each"])
        return determiner(form) + noun(pick(rng, "locations"))
    phrase = noun(pick(rng, "many_locations"), "many")
    kind = rng.random()
    return phrase if kind < 0.1 else determiner("the" if kind < 0.85 else "both") + phrase


def at_location(rng: Random) -> Phrase:
    """Build `at the waist` or `down the sides`; mostly `at`."""
    return preposition("at" if rng.random() < 0.4 else pick(rng, "prepositions")) + location(rng)


def fabric(rng: Random) -> Phrase:
    """Build `cotton jersey`, `a soft, fine knit` or `printed satin with a sheen`."""
    entry = pick(rng, "fabrics")
    phrase = qualities(rng, rng.choice([0, 0, 1, 1, 1, 2])) + noun(entry)
    if entry.split("_")[-1] in ("knit", "mix", "blend"):
        phrase = with_article(phrase)
    kind = rng.random()
    if kind < 0.12:
        return coordinate(rng, [phrase, noun(pick(rng, "fabrics"))])
    if kind < 0.2:
        detail = noun(rng.choice(DETAILS))
        return phrase + preposition("with") + with_article(quality(rng) + detail)
    return phrase


def garment(rng: Random) -> tuple[Phrase, Number]:
    """Build a garment without adjectives; return it and its number."""
    kind = rng.random()
    number: Number = "one" if kind < 0.6 else "pair" if kind < 0.78 else "many"
    return noun(
        pick(rng, {"one": "garments", "pair": "pair_garments", "many": "many_garments"}[number]), number
    ), number


def garment_with_qualities(rng: Random) -> tuple[Phrase, Number]:
    """Build a garment with adjectives and noun modifiers; return it and its number."""
    phrase, number = garment(rng)
    before = modifier(rng.choice(MODIFIERS + WORDS["fabrics"])) if rng.random() < 0.35 else []
    return qualities(rng, rng.choice([0, 1, 1, 1, 2, 2, 3])) + before + phrase, number


def feature(rng: Random, article: bool = True) -> Phrase:
    """Build `a soft, narrow collar at the neck`, `patch pockets` or `long sleeves that can be rolled up`."""
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
        return at_location(rng)
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
    """Build `support`, `a good fit` or `extra warmth`."""
    phrase = qualities(rng, rng.choice([0, 0, 1])) + noun(pick(rng, "effects"))
    return with_article(phrase) if rng.random() < 0.2 else phrase


def verb_phrase(rng: Random, form: str, xpos: str, lemma: str) -> Phrase:
    """Build `gently lifts the bust` or `provide support`."""
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
    """Build `that shape the waist` or `that can be tied at the back`."""
    if rng.random() < 0.25:
        return word("that", "PRON", "WDT") + can_be(rng)
    verb = pick(rng, "verbs")
    form, xpos = (third_person(verb), "VBZ") if number == "one" else (verb, "VBP")
    return word("that", "PRON", "WDT") + verb_phrase(rng, form, xpos, verb)


def infinitive(rng: Random) -> Phrase:
    """Build `to hold the shape`."""
    verb = pick(rng, "verbs")
    return word("to", "PART", "TO") + verb_phrase(rng, verb, "VB", verb)


def can_be(rng: Random) -> Phrase:
    """Build `can be worn in two ways`."""
    form, verb = rng.choice(PAIRS["can_be"])
    phrase = word("can", "AUX", "MD") + word("be", "AUX", "VB") + word(form, "VERB", "VBN", verb)
    kind = rng.random()
    if kind < 0.35:
        return phrase + preposition("in") + determiner(pick(rng, "counts")) + noun("way", "many")
    if kind < 0.6:
        return phrase + preposition("with") + with_article(garment(rng)[0])
    return phrase + at_location(rng)
