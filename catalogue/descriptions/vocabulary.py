"""The phrases that name the type, colour and pattern of a garment in the sample, and a parser for them."""

import re

COLOURS = ("black", "white", "grey", "beige", "red", "pink", "orange", "yellow", "green", "blue", "navy", "purple")


# attribute -> value -> the phrases that name it in any of the three styles, all lower case.
SYNONYMS: dict[str, dict[str, tuple[str, ...]]] = {
    "type": {
        "t-shirt": ("t-shirt", "tee"), "shirt": ("shirt",), "jumper": ("jumper", "sweater"), "hoodie": ("hoodie",), "jacket": ("jacket", "coat"),
        "vest top": ("vest top", "tank top"), "dress": ("dress",), "trousers": ("trousers", "pants"), "shorts": ("shorts",), "skirt": ("skirt",),
        "bag": ("bag", "handbag", "shopper"), "sneakers": ("sneakers", "trainers", "shoes"), "boots": ("boots",), "cap": ("cap", "baseball cap"),
        "felt hat": ("felt hat", "hat"), "tie": ("tie",), "blanket": ("blanket",), "cushion": ("cushion", "pillow"),
    },
    "colour": {colour: (colour,) for colour in COLOURS},
    "pattern": {
        "solid": (), "striped": ("striped", "stripes"), "pinstriped": ("pinstriped", "thin lines"), "dotted": ("spotted", "dotted", "dots"),
        "checked": ("checked", "checks"), "floral": ("floral-patterned", "flowery", "flowers"),
    },
}  # fmt: skip


def _matcher(attribute: str) -> re.Pattern[str]:
    phrases = {phrase for named in SYNONYMS[attribute].values() for phrase in named}
    longest_first = sorted(phrases, key=lambda phrase: (-len(phrase), phrase))
    return re.compile(r"(?<![\w-])(" + "|".join(re.escape(phrase) for phrase in longest_first) + r")(?![\w-])")


_MATCHERS = {attribute: _matcher(attribute) for attribute in SYNONYMS}


_VALUE_OF = {
    attribute: {phrase: value for value, named in values.items() for phrase in named}
    for attribute, values in SYNONYMS.items()
}


def parse(text: str) -> dict[str, list[str]]:
    """What a text of any style names: `{"type": […], "colour": […], "pattern": […]}`, sorted, each value once.

    Whole words and hyphenated words only: "t-shirt" names no shirt, "sweatshirt fabric" neither. "solid" is never named.
    """
    lower = text.lower()
    return {
        attribute: sorted({_VALUE_OF[attribute][phrase] for phrase in found.findall(lower)})
        for attribute, found in _MATCHERS.items()
    }
