"""The phrases that name the type, colour and pattern of a garment in the sample, and a parser for them.

And which attributes of the truth, and which words of the shop, a picture can show.
"""

import re

COLOURS = ("black", "white", "grey", "beige", "red", "pink", "orange", "yellow", "green", "blue", "navy", "purple")

# The attributes in the sample's truth: what its pictures show, and what only words can say.
VISIBLE = ("type", "colour", "pattern", "sleeve", "neck", "length", "closure", "pocket", "fit", "waist", "sole")
INVISIBLE = ("material",)
# The words of the shop, and their lemmas, for what no picture of the sample shows: the material, and the last sentence.
INVISIBLE_WORDS = frozenset({
    "breathable", "brushed", "canvas", "coated", "compartment", "cotton", "crease", "crepe", "cushioning", "denim",
    "easy", "fabric", "fleece", "grained", "imitation", "inner", "insole", "insoles", "insulated", "iron", "jersey",
    "knit", "knitted", "leather", "lined", "linen", "lining", "lyocell", "mesh", "modal", "nylon", "organic",
    "oxford", "padded", "poplin", "quilted", "resistant", "rib", "ribbed", "satin", "scuba", "silk", "slub",
    "smooth", "soft", "stretch", "suede", "sweatshirt", "terry", "twill", "unlined", "velvet", "viscose", "waffle",
    "washed", "wool", "woven",
})  # fmt: skip

# attribute -> value -> the phrases that name it in any of the three styles, all lower case.
SYNONYMS: dict[str, dict[str, tuple[str, ...]]] = {
    "type": {
        "t-shirt": ("t-shirt", "tee"), "shirt": ("shirt",), "jumper": ("jumper", "sweater"), "hoodie": ("hoodie",),
        "jacket": ("jacket", "coat"), "vest top": ("vest top", "tank top"), "dress": ("dress",),
        "trousers": ("trousers", "pants"), "shorts": ("shorts",), "skirt": ("skirt",),
        "bag": ("bag", "handbag", "shopper"), "sneakers": ("sneakers", "trainers", "shoes"), "boots": ("boots",),
        "cap": ("cap", "baseball cap"), "felt hat": ("felt hat", "hat"), "tie": ("tie",), "blanket": ("blanket",),
        "cushion": ("cushion", "pillow"),
    },
    "colour": {colour: (colour,) for colour in COLOURS},
    "pattern": {
        "solid": (), "striped": ("striped", "stripes"), "pinstriped": ("pinstriped", "thin lines"),
        "dotted": ("spotted", "dotted", "dots"), "checked": ("checked", "checks"),
        "floral": ("floral-patterned", "flowery", "flowers"),
    },
}  # fmt: skip


def _matcher(attribute: str) -> re.Pattern[str]:
    """Compile a pattern that finds every phrase of an attribute, the longest first."""
    phrases = {phrase for synonyms in SYNONYMS[attribute].values() for phrase in synonyms}
    longest_first = sorted(phrases, key=lambda phrase: (-len(phrase), phrase))
    return re.compile(r"(?<![\w-])(" + "|".join(re.escape(phrase) for phrase in longest_first) + r")(?![\w-])")


_MATCHERS = {attribute: _matcher(attribute) for attribute in SYNONYMS}
_VALUE_OF = {
    attribute: {phrase: value for value, synonyms in values.items() for phrase in synonyms}
    for attribute, values in SYNONYMS.items()
}


def parse(text: str) -> dict[str, list[str]]:
    """Find the types, colours and patterns that a text of any style names, sorted, each value once.

    Only whole words and hyphenated words count: "t-shirt" does not name a shirt, nor does "sweatshirt fabric". No
    phrase names the pattern "solid".

    >>> parse("A blue T-shirt with white stripes")
    {'type': ['t-shirt'], 'colour': ['blue', 'white'], 'pattern': ['striped']}
    """
    lower = text.lower()
    return {
        attribute: sorted({_VALUE_OF[attribute][phrase] for phrase in matcher.findall(lower)})
        for attribute, matcher in _MATCHERS.items()
    }
