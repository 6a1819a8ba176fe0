"""The attributes of a garment, which of them go together, and how often."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from catalogue.descriptions.vocabulary import COLOURS

PATTERNS = ("solid", "striped", "pinstriped", "dotted", "checked", "floral")
PATTERN_WEIGHTS = (30, 16, 13, 13, 14, 14)

# The share of each type among the products; the last four are rare, or not fashion.
TYPE_WEIGHTS = {
    "t-shirt": 12, "shirt": 12, "jumper": 10, "hoodie": 7, "jacket": 11, "vest top": 7, "dress": 14,
    "trousers": 8, "shorts": 7, "skirt": 7, "bag": 6, "sneakers": 4, "boots": 5, "cap": 2,
}  # fmt: skip
TYPES = tuple(TYPE_WEIGHTS)
RARE_TYPES = ("felt hat", "tie")
HOME_TYPES = ("blanket", "cushion")

# type -> the values that its attributes can take; an attribute that is missing here is None.
ALLOWED: dict[str, dict[str, Sequence[str]]] = {
    "t-shirt": {"sleeve": ("short", "long"), "neck": ("round", "v"), "fit": ("wide", "slim"), "pocket": ("yes", "no")},
    "shirt": {"sleeve": ("short", "long"), "neck": ("collar", "stand"), "closure": ("buttons",),
              "fit": ("wide", "slim"), "pocket": ("yes", "no")},
    "jumper": {"sleeve": ("short", "long"), "neck": ("round", "v", "roll"), "fit": ("wide", "slim")},
    "hoodie": {"sleeve": ("long",), "neck": ("hood",), "closure": ("zip", "none"), "fit": ("wide", "slim"),
               "pocket": ("yes", "no")},
    "jacket": {"sleeve": ("long",), "neck": ("collar", "stand"), "closure": ("buttons", "zip"),
               "length": ("short", "long"), "pocket": ("yes", "no")},
    "vest top": {"sleeve": ("none",), "neck": ("round", "v"), "length": ("short", "long"), "fit": ("wide", "slim")},
    "dress": {"sleeve": ("none", "short", "long"), "neck": ("round", "v", "roll"), "length": ("short", "knee", "long")},
    "trousers": {"length": ("ankle", "long"), "fit": ("wide", "slim"), "pocket": ("yes", "no")},
    "shorts": {"length": ("short", "knee"), "fit": ("wide", "slim"), "pocket": ("yes", "no")},
    "skirt": {"length": ("short", "knee", "long"), "fit": ("wide", "slim"), "closure": ("buttons", "none")},
    "bag": {"length": ("short", "long"), "closure": ("zip", "none"), "pocket": ("yes", "no")},
    "sneakers": {"length": ("short", "long"), "closure": ("laces", "none")},
    "boots": {"length": ("short", "long"), "closure": ("zip", "laces", "none")},
    "cap": {"closure": ("buttons", "none")},
    "felt hat": {},
    "tie": {},
    "blanket": {},
    "cushion": {},
}  # fmt: skip
DETAILS = ("sleeve", "neck", "length", "closure", "pocket", "fit")


@dataclass(frozen=True)
class Garment:
    """A garment in a colour; an attribute that does not exist for its type is None."""

    type: str
    colour: str
    pattern: str = "solid"
    sleeve: str | None = None  # none, short, long
    neck: str | None = None  # round, v, roll, collar, stand, hood
    length: str | None = None  # short, knee, ankle, long
    closure: str | None = None  # buttons, zip, laces, none
    pocket: str | None = None  # yes, no
    fit: str | None = None  # wide, slim


def sample(rng: Random, types: Mapping[str, float] = TYPE_WEIGHTS) -> Garment:
    """Draw a garment at random: the type by its weight, the other attributes among what the type allows."""
    kind = rng.choices(list(types), list(types.values()))[0]
    pattern = rng.choices(PATTERNS, PATTERN_WEIGHTS)[0]
    details = {name: rng.choice(values) for name, values in ALLOWED[kind].items()}
    return Garment(type=kind, colour=rng.choice(COLOURS), pattern=pattern, **details)
