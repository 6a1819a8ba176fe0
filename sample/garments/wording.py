"""Describes a garment in three styles that share no sentence: alt-text of the web, prose, and the shop's descriptions.

The small captioners are pre-trained on alt-text (with pictures) and prose (without). Only fine-tuning shows them the
shop's style.
"""

from collections.abc import Sequence
from random import Random

from sample.garments.attributes import MATERIALS, Garment

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
_ALT_WAIST = {"belt": "a belt", "drawstring": "a drawstring"}
_ALT_SOLE = {"flat": "flat soles", "chunky": "thick soles", "heel": "heels"}
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
_FIT_OF = {("bag", "wide"): "wide", ("bag", "slim"): "narrow"}
_LENGTH = {"short": "short", "knee": "knee-length", "ankle": "ankle-length", "long": "long"}
_TOPS = ("t-shirt", "shirt", "jumper", "hoodie", "jacket", "vest top")
_LENGTH_OF = {
    **{(kind, "short"): "cropped" for kind in _TOPS},
    **{(kind, "long"): "longline" for kind in _TOPS},
    ("bag", "short"): "small",
    ("bag", "long"): "large",
    ("sneakers", "short"): "low-cut",
    ("sneakers", "long"): "hi-top",
    ("boots", "short"): "ankle",
    ("boots", "long"): "high-leg",
    ("dress", "long"): "maxi",
    ("skirt", "long"): "maxi",
    ("cap", "short"): "short-peaked",
    ("cap", "long"): "long-peaked",
}
_NECK = {
    "round": "a round neckline",
    "v": "a v-neck",
    "collar": "a turn-down collar",
    "roll": "a polo neck",
    "stand": "a stand-up collar",
    "hood": "a drawstring hood",
}
_CLOSURE = {"buttons": "buttons down the front", "zip": "a zip down the front", "laces": "lacing at the front"}
_CLOSURE_OF = {
    ("bag", "zip"): "a zip at the top",
    ("boots", "zip"): "a zip in one side",
    ("boots", "none"): "elastic gores in the sides",
    ("sneakers", "none"): "elastic panels in the sides",
    ("cap", "buttons"): "a covered button on the crown",
    ("bag", "none"): "a magnetic fastener",
}
_POCKET = {
    "bag": "an outer pocket",
    "hoodie": "a kangaroo pocket",
    "trousers": "side pockets",
    "shorts": "side pockets",
    "skirt": "side pockets",
    "jacket": "flap pockets",
}
_WAIST = {"belt": "a matching belt", "drawstring": "a drawstring waist"}
_SOLE = {"flat": "flat soles", "chunky": "chunky soles", "heel": "block heels"}

# A closing sentence about what a picture cannot show either; some descriptions have none.
_TAILS: dict[str, Sequence[str]] = {
    "light": ("Easy-iron.", "Quick-drying.", "Breathable."),
    "warm": ("Brushed inside.", "Soft inside.", "Insulated."),
    "lined": ("Lined.", "Unlined.", "Partly lined."),
    "shoe": ("Padded insoles.", "Cushioning insoles."),
    "bag": ("Inner compartment.", "Lined inside."),
}
_TAIL_OF = {
    "t-shirt": "light",
    "shirt": "light",
    "vest top": "light",
    "jumper": "warm",
    "hoodie": "warm",
    "jacket": "lined",
    "dress": "lined",
    "skirt": "lined",
    "trousers": "light",
    "shorts": "light",
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
    after += rng.sample(visible, min(len(visible), rng.choice((0, 1, 1, 2))))
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
        _ALT_WAIST.get(garment.waist or ""),
        _ALT_SOLE.get(garment.sole or ""),
    ]
    return [phrase for phrase in phrases if phrase] + (["a pocket"] if garment.pocket == "yes" else [])


def write_prose(garment: Garment, rng: Random) -> str:
    """Write prose that teaches a language model the words of fashion, without the shop's sentences."""
    kind, material = _SHOP_TYPE.get(garment.type, garment.type), _choose_material(garment, rng)
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
    """Write the shop's description: type, pattern, material and details, never the colour; the last sentence at random.

    `Cropped, short-sleeved, relaxed-fit T-shirt in striped soft cotton jersey with a round neckline and a chest pocket.
    Breathable.`
    """
    kind = _SHOP_TYPE.get(garment.type, garment.type)
    heads, details = ", ".join(_list_heads(garment)), _list_details(garment)
    material = _choose_material(garment, rng)
    text = f"{_capitalise(f'{heads} {kind}'.strip())} in {_add_pattern(garment.pattern, material)}"
    if details:
        text += " with " + (f"{', '.join(details[:-1])} and {details[-1]}" if len(details) > 1 else details[0])
    if garment.type in _TAIL_OF and rng.random() < _TAIL_SHARE:
        text += f". {rng.choice(_TAILS[_TAIL_OF[garment.type]])}"
    return text.rstrip(".") + "."


def _choose_material(garment: Garment, rng: Random) -> str:
    """Return the garment's material; any of its type where it is unknown."""
    return garment.material or rng.choice(MATERIALS[garment.type])


def _add_pattern(pattern: str, material: str) -> str:
    if pattern == "solid":
        return material
    word = _SHOP_PATTERN[pattern]
    return f"{_choose_article(word)} {word} {material[2:]}" if material.startswith("a ") else f"{word} {material}"


def _list_heads(garment: Garment) -> list[str]:
    length = _LENGTH_OF.get((garment.type, garment.length or ""), _LENGTH.get(garment.length or ""))
    sleeve = _SLEEVE.get(garment.sleeve or "") if garment.type != "vest top" else None
    fit = _FIT_OF.get((garment.type, garment.fit or ""), _FIT.get(garment.fit or ""))
    return [word for word in (length, sleeve, fit) if word]


def _list_details(garment: Garment) -> list[str]:
    closure = _CLOSURE_OF.get((garment.type, garment.closure or ""), _CLOSURE.get(garment.closure or ""))
    pocket = _POCKET.get(garment.type, "a chest pocket") if garment.pocket == "yes" else None
    waist, sole = _WAIST.get(garment.waist or ""), _SOLE.get(garment.sole or "")
    return [phrase for phrase in (_NECK.get(garment.neck or ""), waist, closure, pocket, sole) if phrase]


def _choose_article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def _capitalise(text: str) -> str:
    return text[:1].upper() + text[1:]
