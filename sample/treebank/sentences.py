"""Builds sentences in the style of a shop, and captions in the style of alt-text, at random.

Each function is named after the sentence or phrase that it builds.
"""

from random import Random

from sample.treebank.lexicon import PAIRS, WORDS, Number, Phrase, adjective, glue, modifier, noun, third_person, word
from sample.treebank.phrases import (
    COMMA,
    can_be,
    coordinate,
    determiner,
    effect,
    fabric,
    feature,
    garment,
    garment_with_qualities,
    infinitive,
    location,
    pick,
    preposition,
    qualities,
    relative_clause,
    with_article,
)

COLOURS = [
    "black", "white", "blue", "red", "green", "pink", "yellow", "beige", "grey", "brown", "purple", "orange",
    "turquoise", "navy", "cream",
]  # fmt: skip


def opening(rng: Random) -> Phrase:
    """Build `Soft, ribbed jumper in a cotton blend with long sleeves and ribbing at the hem`."""
    phrase, number = garment_with_qualities(rng)
    if number == "many" and rng.random() < 0.2:
        phrase = determiner(pick(rng, "counts")) + phrase
    if rng.random() < 0.06:
        phrase += relative_clause(rng, number)
    kind = rng.random()
    if kind < 0.75:
        phrase += preposition("in") + fabric(rng)
    elif kind < 0.85:
        phrase += origin(rng)
    if rng.random() < 0.8:
        phrase += preposition("with") + coordinate(rng, [feature(rng) for _ in range(rng.choice([1, 1, 2, 2, 3, 4]))])
    return phrase + (infinitive(rng) if rng.random() < 0.08 else [])


def details(rng: Random) -> Phrase:
    """Build `Round neckline, dropped shoulders and a chest pocket`."""
    return coordinate(rng, [feature(rng, article=position > 0) for position in range(rng.choice([1, 2, 2, 3]))])


def remark(rng: Random) -> Phrase:
    """Build `Lined`, `Fully lined`, `Soft brushed inside` or `Gathered at the waist`."""
    kind = rng.random()
    state = adjective(pick(rng, "participles"))
    if kind < 0.35:
        return (word(pick(rng, "degrees"), "ADV", "RB") if rng.random() < 0.5 else []) + state
    if kind < 0.5:
        return coordinate(rng, [state, adjective(pick(rng, "participles"))])
    if kind < 0.7:
        what = rng.choice(
            ["inside", "lining", "support", "fit", "cut", "style", "rise", "waist", "shape", "leg", "finish"]
        )
        return qualities(rng, rng.choice([1, 2])) + noun(what)
    if kind < 0.85:
        return state + preposition("at") + location(rng)
    return state + word("inside", "ADV", "RB")


def content(rng: Random) -> Phrase:
    """Build `Some of the polyester content of the dress is recycled`."""
    subject = determiner("the") + noun(pick(rng, "fabrics")) + noun("content")
    if rng.random() < 0.7:
        subject += preposition("of") + determiner("the") + garment(rng)[0]
    if rng.random() < 0.3:
        subject = word("some", "PRON", "DT") + preposition("of") + subject
    state = rng.choice(["recycled", "organic", "sustainable", "certified", "renewable"])
    return subject + word("is", "AUX", "VBZ", "be") + adjective(state)


def measure(rng: Random) -> Phrase:
    """Build `Width of the strap approx. 3.5 cm, length 20 cm` or `60 denier`."""
    if rng.random() < 0.2:
        return word(rng.choice(["10", "15", "20", "30", "40", "50", "60", "100", "200"]), "NUM", "CD") + noun("denier")
    what = noun(pick(rng, "measures"))
    kind = rng.random()
    if kind < 0.25:
        what += preposition("of") + (determiner("the") if rng.random() < 0.5 else []) + noun(pick(rng, "features"))
    elif kind < 0.5:
        what = noun(pick(rng, "features")) + what
    if rng.random() < 0.25:
        what += word(rng.choice(["approx.", "approximately", "about"]), "ADV", "RB")
    phrase = what + amount(rng)
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        phrase = glue(phrase) + COMMA + noun(pick(rng, "measures")) + amount(rng)
    return phrase


def amount(rng: Random) -> Phrase:
    """Build `3.5 cm` or `20x30 cm`."""
    unit, singular = rng.choice(
        [("cm", "cm")] * 4 + [("mm", "mm"), ("ml", "ml"), ("g", "g"), ("litres", "litre"), ("inches", "inch")]
    )
    return number(rng) + word(unit, "NOUN", "NN" if unit == singular else "NNS", singular)


def number(rng: Random) -> Phrase:
    """Build a number as descriptions write it."""
    whole, small = rng.randint(1, 250), rng.randint(1, 9)
    sides = "x".join(str(rng.randint(2, 90)) for _ in range(rng.choice([2, 2, 3])))
    return word(rng.choice([str(whole), f"{whole}.{small}", sides, f"{sides}.{small}", f"{small}/4"]), "NUM", "CD")


def action(rng: Random) -> Phrase:
    """Build `The skirt has a slit`, `The bag can be worn in two ways`, `Fastens with a zip` or `Wear with a jacket`."""
    subject, count = garment(rng)
    subject = determiner("the") + subject
    is_single = count == "one"
    kind = rng.random()
    if kind < 0.3:
        has = word("has", "VERB", "VBZ", "have") if is_single else word("have", "VERB", "VBP")
        return subject + has + feature(rng)
    if kind < 0.5:
        return subject + word("is" if is_single else "are", "AUX", "VBZ" if is_single else "VBP", "be") + origin(rng)
    if kind < 0.65:
        return subject + can_be(rng)
    verb = pick(rng, "instructions")
    if kind < 0.85:
        return word(third_person(verb), "VERB", "VBZ", verb) + preposition("with") + feature(rng)
    return (
        word(verb, "VERB", "VB") + preposition("with") + with_article(qualities(rng, 1) + noun(pick(rng, "garments")))
    )


def origin(rng: Random) -> Phrase:
    """Build `made from soft jersey` or `designed to hold the shape`."""
    form, verb = rng.choice(PAIRS["origins"])
    phrase = word(form, "VERB", "VBN", verb)
    kind = rng.random()
    if kind < 0.8:
        return phrase + preposition(rng.choice(["from", "from", "in", "of", "with"])) + fabric(rng)
    return phrase + (preposition("for") + effect(rng) if kind < 0.9 else infinitive(rng))


def without(rng: Random) -> Phrase:
    """Build `Without visible seams for extra comfort`."""
    phrase = preposition("without") + qualities(rng, 1) + noun(pick(rng, "features"), "many")
    return phrase + (preposition("for") + effect(rng) if rng.random() < 0.6 else [])


def pack(rng: Random) -> Phrase:
    """Build `Two pairs of soft socks in a cotton blend` or `A pack of three bras`."""
    count = determiner(pick(rng, "counts"))
    head = (
        count + noun("pair", "many") if rng.random() < 0.4 else with_article(noun(rng.choice(["pack", "set", "box"])))
    )
    garments = qualities(rng, rng.choice([0, 1])) + noun(pick(rng, "many_garments"), "many")
    return head + preposition("of") + garments + preposition("in") + fabric(rng)


def percentages(rng: Random) -> Phrase:
    """Build `95% cotton and 5% elastane`."""
    parts = []
    for _ in range(rng.choice([1, 2, 2, 3])):
        percent = glue(word(str(rng.choice([2, 5, 30, 50, 65, 80, 95, 98, 100])), "NUM", "CD")) + word("%", "SYM", "NN")
        parts.append(percent + fabric(rng))
    return (word("contains", "VERB", "VBZ", "contain") if rng.random() < 0.3 else []) + coordinate(rng, parts)


def signs(rng: Random) -> Phrase:
    """Build a phrase with a possessive, slash, bracket, dash or quotation marks."""
    first, second = noun(pick(rng, "features")), noun(pick(rng, "features"))
    kind = rng.randrange(5)
    if kind == 0:
        singular, plural = rng.choice(PAIRS["people"])
        owner = word(singular, "NOUN", "NN") if rng.random() < 0.5 else word(plural, "NOUN", "NNS", singular)
        return (
            glue(owner)
            + word(rng.choice(["'s", "’s"]), "PART", "POS", "'s")
            + garment(rng)[0]
            + preposition("in")
            + fabric(rng)
        )
    if kind == 1:
        return glue(first) + glue(word(rng.choice("/&"), "SYM", "SYM")) + second
    if kind == 2:
        return first + bracket(second)
    if kind == 3:
        return first + word(rng.choice("–—-:"), "PUNCT", ":", "-") + qualities(rng, 1) + noun(pick(rng, "effects"))
    opening_mark, closing_mark = rng.choice([('"', '"'), ("'", "'"), ("“", "”")])
    quoted = glue(word(opening_mark, "PUNCT", "``", '"')) + glue(first) + word(closing_mark, "PUNCT", "''", '"')
    return (
        noun(pick(rng, "garments"))
        + preposition("with")
        + word("a", "DET", "DT")
        + quoted
        + noun(rng.choice(["print", "text", "motif", "logo"]))
    )


def label(rng: Random) -> Phrase:
    """Build `Fabric: soft cotton jersey` or `Black and long: the skirt to wear with everything`."""
    colon = word(":", "PUNCT", ":")
    kind = rng.random()
    if kind < 0.4:
        return glue(noun(rng.choice(["fabric", "material", "lining", pick(rng, "features")]))) + colon + fabric(rng)
    if kind < 0.7:
        return (
            glue(garment_with_qualities(rng)[0])
            + colon
            + coordinate(rng, [feature(rng) for _ in range(rng.choice([1, 2, 3]))])
        )
    colour = adjective(rng.choice(COLOURS))
    states = coordinate(rng, [adjective(pick(rng, "adjectives")), colour]) if rng.random() < 0.6 else colour
    return glue(states) + colon + determiner("the") + garment_with_qualities(rng)[0]


def bracket(phrase: Phrase) -> Phrase:
    """Put the phrase in brackets."""
    return glue(word("(", "PUNCT", "-LRB-")) + glue(phrase) + word(")", "PUNCT", "-RRB-")


def praise(rng: Random) -> Phrase:
    """Build prose: `our jumper comes in red` or `this skirt, long and black, to wear with everything`."""
    phrase, count = garment_with_qualities(rng)
    subject = word("our", "PRON", "PRP$", "we") if rng.random() < 0.4 else _this(count)
    kind = rng.random()
    if kind < 0.4:
        verb = word("comes", "VERB", "VBZ", "come") if count == "one" else word("come", "VERB", "VBP")
        return subject + phrase + verb + preposition("in") + adjective(rng.choice(COLOURS))
    if kind < 0.7:
        return (
            subject
            + phrase
            + word("to", "PART", "TO")
            + word("wear", "VERB", "VB")
            + preposition("with")
            + word("everything", "PRON", "NN")
        )
    verb = word("features", "VERB", "VBZ", "feature") if count == "one" else word("feature", "VERB", "VBP")
    return subject + phrase + verb + coordinate(rng, [feature(rng) for _ in range(rng.choice([1, 2]))])


def _this(count: Number) -> Phrase:
    return word("this", "DET", "DT") if count == "one" else word("these", "DET", "DT", "this")


def alt_text(rng: Random) -> Phrase:
    """Build `a photo of a striped red tee with short sleeves`, without a full stop."""
    thing, count = garment(rng)
    colour = adjective(rng.choice(COLOURS)) if rng.random() < 0.8 else []
    before = qualities(rng, rng.choice([0, 0, 1])) + colour
    if rng.random() < 0.3:
        before += qualities(rng, 1) if rng.random() < 0.6 else modifier(rng.choice(WORDS["fabrics"]))
    phrase = with_article(before + thing) if count == "one" else before + thing
    if rng.random() < 0.3:
        phrase = with_article(noun(rng.choice(["photo", "picture", "image"]))) + preposition("of") + phrase
    if rng.random() < 0.7:
        phrase += preposition("with") + coordinate(rng, [_visible_feature(rng) for _ in range(rng.choice([1, 1, 2]))])
    return phrase


def _visible_feature(rng: Random) -> Phrase:
    count: Number = rng.choice(["one", "many"])
    phrase = qualities(rng, rng.choice([0, 1, 1])) + noun(pick(rng, "features"), count)
    if count == "one":
        return with_article(phrase)
    return (word("no", "DET", "DT") if rng.random() < 0.15 else []) + phrase
