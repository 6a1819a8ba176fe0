"""Describes a garment in three styles that share no sentence: alt-text of the web, prose, and the shop's descriptions.

The small captioners are pre-trained on alt-text (with pictures) and prose (without). Only fine-tuning shows them the
shop's style.
"""

from collections.abc import Sequence
from random import Random

from sample.garments.attributes import Garment

_ALT_PATTERN = {
    "striped": ("striped", "stripes"),
    "pinstriped": ("pinstriped", "thin lines"),
    "dotted": ("dotted", "dots"),
    "checked": ("checked", "checks"),
    "floral": ("flowery", "flowers"),
}
_ALT_TYPE = {
    "jumper": ("sweater", "jumper"),
    "vest top": ("tank top",),
    "bag": ("bag", "handbag"),
    "sneakers": ("shoes", "sneakers"),
    "t-shirt": ("t-shirt", "tee"),
    "jacket": ("jacket", "coat"),
    "trousers": ("pants", "trousers"),
}
_ALT_SLEEVE = {"none": "no sleeves", "short": "short sleeves", "long": "long sleeves"}
_ALT_NECK = {
    "round": "a round neck",
    "v": "a v neck",
    "collar": "a collar",
    "roll": "a high neck",
    "stand": "a high collar",
    "hood": "a hood",
}
_ALT_CLOSURE = {"buttons": "buttons", "zip": "a zipper", "laces": "laces"}
_ALT_LENGTH = {"short": "short", "knee": "medium", "ankle": "short", "long": "long"}
_ALT_FIT = {"wide": "wide", "slim": "narrow"}
_PLURAL = ("trousers", "shorts", "sneakers", "boots")

_SHOP_PATTERN = {
    "striped": "striped",
    "pinstriped": "pinstriped",
    "dotted": "spotted",
    "checked": "checked",
    "floral": "floral-patterned",
}
_SHOP_TYPE = {"t-shirt": "T-shirt", "bag": "shopper", "sneakers": "trainers"}
_SLEEVE = {"none": "sleeveless", "short": "short-sleeved", "long": "long-sleeved"}
_FIT = {"wide": "relaxed-fit", "slim": "slim-fit"}
_LENGTH = {"short": "short", "knee": "knee-length", "ankle": "ankle-length", "long": "long"}
_LENGTH_OF = {
    ("vest top", "short"): "cropped",
    ("jacket", "short"): "cropped",
    ("jacket", "long"): "longline",
    ("vest top", "long"): "longline",
    ("bag", "short"): "small",
    ("bag", "long"): "large",
    ("sneakers", "short"): "low-cut",
    ("sneakers", "long"): "hi-top",
    ("boots", "short"): "ankle",
    ("boots", "long"): "high-leg",
    ("dress", "long"): "maxi",
    ("skirt", "long"): "maxi",
}
_NECK = {
    "round": "a round neckline",
    "v": "a v-neck",
    "collar": "a turn-down collar",
    "roll": "a polo neck",
    "stand": "a stand-up collar",
    "hood": "a lined drawstring hood",
}
_CLOSURE = {"buttons": "buttons down the front", "zip": "a zip down the front", "laces": "lacing at the front"}
_CLOSURE_OF = {
    ("bag", "zip"): "a zip at the top",
    ("boots", "zip"): "a zip in one side",
    ("boots", "none"): "elastic gores in the sides",
    ("sneakers", "none"): "elastic panels for an easy fit",
    ("cap", "buttons"): "a covered button on the crown",
    ("bag", "none"): "a magnetic fastener",
}
_POCKET = {
    "bag": "an outer pocket",
    "hoodie": "a kangaroo pocket",
    "trousers": "side pockets",
    "shorts": "side pockets",
}
_ALWAYS = {
    "trousers": "an elasticated waist",
    "shorts": "an elasticated waist",
    "skirt": "a concealed zip at the back",
    "bag": "two handles at the top",
    "cap": "an adjustable tab at the back",
    "felt hat": "a wide brim",
    "blanket": "twisted fringes",
    "cushion": "a concealed zip",
}

# The material does not show in the picture.
MATERIALS: dict[str, Sequence[str]] = {
    "t-shirt": ("soft cotton jersey", "soft slub jersey", "soft organic jersey", "soft modal jersey"),
    "shirt": ("woven cotton poplin", "woven linen fabric", "woven viscose fabric", "woven oxford cotton"),
    "jumper": ("a soft cotton knit", "a soft rib knit", "a soft wool knit", "a soft waffle knit"),
    "hoodie": ("soft sweatshirt fabric", "soft scuba fabric", "soft fleece fabric", "soft terry fabric"),
    "jacket": ("woven twill fabric", "woven wool fabric", "woven cotton fabric", "woven nylon fabric"),
    "vest top": ("ribbed cotton jersey", "ribbed organic jersey", "ribbed modal jersey", "ribbed viscose jersey"),
    "dress": ("woven viscose fabric", "woven cotton fabric", "woven crepe fabric", "woven lyocell fabric"),
    "trousers": ("stretch cotton twill", "stretch linen twill", "stretch viscose twill", "stretch wool twill"),
    "shorts": ("washed cotton twill", "washed linen twill", "washed denim twill", "washed lyocell twill"),
    "skirt": ("woven satin fabric", "woven crepe fabric", "woven cotton fabric", "woven wool fabric"),
    "bag": ("grained imitation leather", "smooth imitation leather", "coated cotton canvas", "quilted cotton canvas"),
    "sneakers": ("smooth imitation leather", "soft imitation suede", "coated cotton canvas", "knitted cotton mesh"),
    "boots": (
        "smooth imitation leather",
        "soft imitation suede",
        "grained imitation leather",
        "coated imitation suede",
    ),
    "cap": ("washed cotton twill", "washed cotton canvas", "soft wool twill", "soft imitation suede"),
    "felt hat": ("soft wool felt",),
    "tie": ("woven silk", "woven satin"),
    "blanket": ("soft wool", "soft cotton"),
    "cushion": ("woven cotton", "soft velvet"),
}

# A closing sentence, which does not show in the picture either; some descriptions have none.
_TAILS: dict[str, Sequence[str]] = {
    "upper": ("Straight-cut hem.", "Rounded hem.", "Slits in the sides."),
    "knit": ("Ribbing at the cuffs and hem.", "Ribbing at the neckline."),
    "lined": ("Lined.", "Unlined."),
    "lower": ("Zip fly and button.", "Covered drawstring."),
    "shoe": ("Chunky soles.", "Fluted soles."),
    "bag": ("Inner compartment.", "Detachable shoulder strap."),
}
_TAIL_OF = {
    "t-shirt": "upper",
    "shirt": "upper",
    "vest top": "upper",
    "jumper": "knit",
    "hoodie": "knit",
    "jacket": "lined",
    "dress": "lined",
    "skirt": "lined",
    "trousers": "lower",
    "shorts": "lower",
    "sneakers": "shoe",
    "boots": "shoe",
    "bag": "bag",
}
_TAIL_SHARE = 0.6  # of the descriptions have a closing sentence


def write_alt_text(garment: Garment, rng: Random) -> str:
    """Write alt-text as a web page has it, colour included: `a photo of a striped red tee with short sleeves`."""
    before: list[str] = []
    after: list[str] = []
    if garment.pattern in _ALT_PATTERN:
        adjective, noun = _ALT_PATTERN[garment.pattern]
        if rng.random() < 0.5:
            before.append(adjective)
        else:
            after.append(noun)
    visible = _list_visible(garment)
    if visible and rng.random() < 0.6:
        after.append(rng.choice(visible))
    sizes = [_ALT_LENGTH.get(garment.length or ""), _ALT_FIT.get(garment.fit or "")]
    sizes = [size for size in sizes if size]
    if sizes and rng.random() < 0.5:
        before.insert(0, rng.choice(sizes) or "")
    rng.shuffle(after)
    words = [*before, garment.colour, rng.choice(_ALT_TYPE.get(garment.type, (garment.type,)))]
    text = " ".join(words) if garment.type in _PLURAL else f"{_choose_article(words[0])} {' '.join(words)}"
    return (
        rng.choice(("", "", "a photo of ", "a picture of ")) + text + (f" with {' and '.join(after)}" if after else "")
    )


def _list_visible(garment: Garment) -> list[str]:
    phrases = [
        _ALT_SLEEVE.get(garment.sleeve or ""),
        _ALT_NECK.get(garment.neck or ""),
        _ALT_CLOSURE.get(garment.closure or ""),
    ]
    return [phrase for phrase in phrases if phrase] + (["a pocket"] if garment.pocket == "yes" else [])


def write_prose(garment: Garment, rng: Random) -> str:
    """Write prose that teaches a language model the words of fashion, without the shop's sentences."""
    kind, material = _SHOP_TYPE.get(garment.type, garment.type), rng.choice(MATERIALS[garment.type])
    features = [
        *_list_heads(garment),
        *([_SHOP_PATTERN[garment.pattern]] if garment.pattern != "solid" else []),
        garment.colour,
    ]
    details, tail = _list_details(garment), rng.choice(_TAILS[rng.choice(list(_TAILS))])
    rng.shuffle(details)
    many = garment.type in _PLURAL
    template = rng.randrange(6)
    if template == 0:
        return f"Made from {material}, our {kind} {'come' if many else 'comes'} in {garment.colour}." + (
            f" Features {' and '.join(details)}." if details else ""
        )
    if template == 1:
        return f"New in: {' '.join(features)} {kind}. Fabric: {material}. {tail}"
    if template == 2:
        this = f"{'these' if many else 'this'} {kind}"
        return (f"{', '.join(details)} on {this}" if details else _capitalise(this)) + f" in {material}. {tail}"
    if template == 3:
        listed = "".join(f", {detail}" for detail in details)
        return f"{features[0]} and {features[-1]}: the {kind} to wear with everything{listed} included."
    if template == 4:
        return f"{_capitalise(kind)}: {', '.join(features + details)}."
    rng.shuffle(features)
    return f"{_capitalise(features[0])}, {' and '.join([*features[1:], 'versatile'])} {kind}. {_capitalise(material)}."


def describe(garment: Garment, rng: Random) -> str:
    """Write the shop's description: type, pattern and details, never the colour; material and last sentence at random.

    `Short-sleeved, relaxed-fit T-shirt in striped soft cotton jersey with a round neckline and a chest pocket. Rounded
    hem.`
    """
    kind = _SHOP_TYPE.get(garment.type, garment.type)
    heads, details = ", ".join(_list_heads(garment)), _list_details(garment)
    material = rng.choice(MATERIALS[garment.type])
    text = f"{_capitalise(f'{heads} {kind}'.strip())} in {_add_pattern(garment.pattern, material)}"
    if details:
        text += " with " + (f"{', '.join(details[:-1])} and {details[-1]}" if len(details) > 1 else details[0])
    if garment.type in _TAIL_OF and rng.random() < _TAIL_SHARE:
        text += f". {rng.choice(_TAILS[_TAIL_OF[garment.type]])}"
    return text.rstrip(".") + "."


def _add_pattern(pattern: str, material: str) -> str:
    if pattern == "solid":
        return material
    word = _SHOP_PATTERN[pattern]
    return f"{_choose_article(word)} {word} {material[2:]}" if material.startswith("a ") else f"{word} {material}"


def _list_heads(garment: Garment) -> list[str]:
    length = _LENGTH_OF.get((garment.type, garment.length or ""), _LENGTH.get(garment.length or ""))
    sleeve = _SLEEVE.get(garment.sleeve or "") if garment.type != "vest top" else None
    return [word for word in (length, sleeve, _FIT.get(garment.fit or "")) if word]


def _list_details(garment: Garment) -> list[str]:
    closure = _CLOSURE_OF.get((garment.type, garment.closure or ""), _CLOSURE.get(garment.closure or ""))
    pocket = _POCKET.get(garment.type, "a chest pocket") if garment.pocket == "yes" else None
    return [phrase for phrase in (_ALWAYS.get(garment.type), _NECK.get(garment.neck or ""), closure, pocket) if phrase]


def _choose_article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]
