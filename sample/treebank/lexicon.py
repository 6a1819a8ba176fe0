"""The words of the generated treebank and their tags.

Conventions: hyphens are tokens (`t - shirt`), as in the current English models of Stanza; participles before a noun
are adjectives whose lemma is the form; garments without a singular (`trousers`) keep their -s in the lemma.
"""

import tomllib
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple

Number = Literal["one", "many", "pair"]  # a skirt, two skirts, trousers


class Token(NamedTuple):
    """A word of the treebank; `space` tells whether a space follows it."""

    form: str
    lemma: str
    upos: str
    xpos: str
    space: bool = True


Phrase = list[Token]

_FILE = tomllib.loads((Path(__file__).parent / "lexicon.toml").read_text(encoding="utf-8"))
WORDS: dict[str, list[str]] = {name: words.split() for name, words in _FILE.items() if isinstance(words, str)}
PAIRS = {name: [tuple(entry.split("/")) for entry in WORDS[name]] for name in ("origins", "can_be", "people")}
HYPHEN_PARTS = {
    entry.split("/")[0]: (entry.split("/")[-1], *tag.split())
    for tag, words in _FILE["hyphen_parts"].items()
    for entry in words.split()
}
QUALITIES = frozenset(WORDS["adjectives"] + WORDS["participles"])
MODIFIERS = sorted(
    set(WORDS["modifiers"])
    | {word for name in ("fabrics", "features", "garments") for word in WORDS[name] if word.isalpha() and len(word) > 3}
)
HYPHEN = Token("-", "-", "PUNCT", "HYPH", space=False)

_IRREGULAR = {"foot": "feet", "calf": "calves", "scarf": "scarves", "leaf": "leaves"}
_ONSETS = [
    "b", "bl", "br", "c", "ch", "cl", "cr", "d", "dr", "f", "fl", "fr", "g", "gl", "gr", "h", "j", "k", "l", "m", "n",
    "p", "pl", "pr", "qu", "r", "s", "sh", "sk", "sl", "sm", "sn", "sp", "st", "str", "t", "th", "tr", "tw", "v", "w",
    "wh", "z",
]  # fmt: skip
_VOWELS = ["a", "e", "i", "o", "u", "ai", "ea", "ee", "oa", "oo", "ou"]
_CODAS = [
    "b", "ck", "d", "ff", "g", "k", "l", "ll", "m", "n", "nd", "ng", "nk", "nt", "p", "r", "rd", "rk", "rm", "rn",
    "rt", "s", "ss", "sh", "sk", "st", "t", "tch", "th", "x", "mp", "lt", "ft", "ce", "ge", "ve", "ne", "le",
]  # fmt: skip
_ENDINGS = ["", "", "", "", *["er", "et", "ing", "y", "ion", "le", "ment", "ette", "ness", "ine", "o", "a"]]


def word(form: str, upos: str, xpos: str, lemma: str | None = None) -> Phrase:
    """Tag a single word."""
    return [Token(form, lemma or form.lower(), upos, xpos)]


def glue(phrase: Phrase) -> Phrase:
    """Remove the space after a phrase."""
    return [*phrase[:-1], phrase[-1]._replace(space=False)]


def plural(singular: str) -> str:
    """Form the plural of a noun.

    >>> plural("scarf"), plural("dress")
    ('scarves', 'dresses')
    """
    if singular in _IRREGULAR:
        return _IRREGULAR[singular]
    return _add_s(singular)


def third_person(verb: str) -> str:
    """Form the third person of a verb.

    >>> third_person("fasten")
    'fastens'
    """
    return _add_s(verb)


def noun(entry: str, number: Number = "one") -> Phrase:
    """Tag a noun of the lexicon; only its last word takes the number."""
    *before, last = entry.split("_")
    phrase = [token for part in before for token in modifier(part)]
    if "-" in last:
        return phrase + _tag_hyphenated(last, "NOUN", number)
    return phrase + _tag_simple_noun(last, number)


def adjective(entry: str) -> Phrase:
    """Tag an adjective or an adjectival participle of the lexicon."""
    return _tag_hyphenated(entry, "ADJ", "one") if "-" in entry else word(entry, "ADJ", "JJ")


def modifier(entry: str) -> Phrase:
    """Tag a word before a noun: as an adjective if the lexicon has it as such, else as a noun."""
    ending = entry.split("-")[-1]
    if entry in QUALITIES or ending in QUALITIES or ending.endswith("ed"):
        return adjective(entry)
    return noun(entry)


def invent_word(rng: Random) -> str:
    """Invent a pronounceable word that hardly any text contains."""
    syllables = rng.choice([1, 1, 2])
    text = ""
    for syllable in range(syllables):
        closed = syllable == syllables - 1 or rng.random() < 0.4
        text += rng.choice(_ONSETS) + rng.choice(_VOWELS) + (rng.choice(_CODAS) if closed else "")
    return text + rng.choice(_ENDINGS)


def _tag_simple_noun(form: str, number: Number) -> Phrase:
    if number == "many":
        return word(plural(form), "NOUN", "NNS", form.lower())
    return word(form, "NOUN", "NNS" if number == "pair" else "NN")


def _tag_hyphenated(entry: str, upos: str, number: Number) -> Phrase:
    *before, last = entry.split("-")
    phrase: Phrase = []
    for part in before:
        phrase += [*glue(_tag_part(part)), HYPHEN]
    if upos == "ADJ" and last not in HYPHEN_PARTS and last not in WORDS["noun_endings"]:
        return phrase + word(last, "ADJ", "JJ")
    if last in HYPHEN_PARTS and number == "one":
        return phrase + _tag_part(last)
    return phrase + _tag_simple_noun(last, number)


def _tag_part(part: str) -> Phrase:
    if part in HYPHEN_PARTS:
        lemma, upos, xpos = HYPHEN_PARTS[part]
        return word(part, upos, xpos, lemma)
    if part[0].isdigit():
        return word(part, "NUM", "CD")
    return word(part, "ADJ", "JJ") if part in QUALITIES else word(part, "NOUN", "NN")


def _add_s(text: str) -> str:
    if text.endswith(("s", "x", "z", "ch", "sh")):
        return text + "es"
    if text.endswith("y") and text[-2] not in "aeiou":
        return text[:-1] + "ies"
    return text + "s"
