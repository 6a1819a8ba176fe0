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

# type -> the values that its attributes can take, all of which show; an attribute that is missing here is None.
ALLOWED: dict[str, dict[str, Sequence[str]]] = {
    "t-shirt": {"sleeve": ("short", "long"), "neck": ("round", "v"), "length": ("short", "long"),
                "fit": ("wide", "slim"), "pocket": ("yes", "no")},
    "shirt": {"sleeve": ("short", "long"), "neck": ("collar", "stand"), "length": ("short", "long"),
              "closure": ("buttons",), "fit": ("wide", "slim"), "pocket": ("yes", "no")},
    "jumper": {"sleeve": ("short", "long"), "neck": ("round", "v", "roll"), "length": ("short", "long"),
               "fit": ("wide", "slim")},
    "hoodie": {"sleeve": ("long",), "neck": ("hood",), "length": ("short", "long"), "closure": ("zip", "none"),
               "fit": ("wide", "slim"), "pocket": ("yes", "no")},
    "jacket": {"sleeve": ("long",), "neck": ("collar", "stand"), "closure": ("buttons", "zip"),
               "length": ("short", "long"), "waist": ("plain", "belt"), "pocket": ("yes", "no")},
    "vest top": {"sleeve": ("none",), "neck": ("round", "v"), "length": ("short", "long"), "fit": ("wide", "slim"),
                 "pocket": ("yes", "no")},
    "dress": {"sleeve": ("none", "short", "long"), "neck": ("round", "v", "roll"), "length": ("short", "knee", "long"),
              "fit": ("wide", "slim"), "waist": ("plain", "belt")},
    "trousers": {"length": ("ankle", "long"), "fit": ("wide", "slim"), "waist": ("plain", "belt", "drawstring"),
                 "pocket": ("yes", "no")},
    "shorts": {"length": ("short", "knee"), "fit": ("wide", "slim"), "waist": ("plain", "belt", "drawstring"),
               "pocket": ("yes", "no")},
    "skirt": {"length": ("short", "knee", "long"), "fit": ("wide", "slim"), "waist": ("plain", "belt"),
              "closure": ("buttons", "none"), "pocket": ("yes", "no")},
    "bag": {"length": ("short", "long"), "fit": ("wide", "slim"), "closure": ("zip", "none"), "pocket": ("yes", "no")},
    "sneakers": {"length": ("short", "long"), "closure": ("laces", "none"), "sole": ("flat", "chunky")},
    "boots": {"length": ("short", "long"), "closure": ("zip", "laces", "none"), "sole": ("flat", "chunky", "heel")},
    "cap": {"length": ("short", "long"), "closure": ("buttons", "none")},
    "felt hat": {},
    "tie": {},
    "blanket": {},
    "cushion": {},
}  # fmt: skip
DETAILS = ("sleeve", "neck", "length", "closure", "pocket", "fit", "waist", "sole")

# What a picture cannot show. Customers and the shop's words know it.
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
    "felt hat": ("soft wool",),
    "tie": ("woven silk", "woven satin"),
    "blanket": ("soft wool", "soft cotton"),
    "cushion": ("woven cotton", "soft velvet"),
}


@dataclass(frozen=True)
class Garment:
    """A garment in a colour; an attribute that does not exist for its type is None. All but the material shows."""

    type: str
    colour: str
    pattern: str = "solid"
    sleeve: str | None = None  # none, short, long
    neck: str | None = None  # round, v, roll, collar, stand, hood
    length: str | None = None  # short, knee, ankle, long
    closure: str | None = None  # buttons, zip, laces, none
    pocket: str | None = None  # yes, no
    fit: str | None = None  # wide, slim
    waist: str | None = None  # plain, belt, drawstring
    sole: str | None = None  # flat, chunky, heel
    material: str | None = None  # of MATERIALS


def sample(rng: Random, types: Mapping[str, float] = TYPE_WEIGHTS) -> Garment:
    """Draw a garment at random: the type by its weight, the other attributes among what the type allows."""
    kind = rng.choices(list(types), list(types.values()))[0]
    pattern = rng.choices(PATTERNS, PATTERN_WEIGHTS)[0]
    details = {name: rng.choice(values) for name, values in ALLOWED[kind].items()}
    details["material"] = rng.choice(MATERIALS[kind])
    return Garment(type=kind, colour=rng.choice(COLOURS), pattern=pattern, **details)
