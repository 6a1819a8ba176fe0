"""Draws pictures and texts to pre-train on: alt-text with pictures, prose without, never the shop's descriptions."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from PIL import Image

from catalogue.descriptions.vocabulary import parse
from pipeline.core.progress import track
from sample.garments.attributes import HOME_TYPES, RARE_TYPES, TYPE_WEIGHTS, Garment, sample
from sample.garments.drawing import draw
from sample.garments.wording import write_alt_text, write_prose

ALTS = 8  # of a picture: a single one names few of its details
TYPES: dict[str, int] = TYPE_WEIGHTS | dict.fromkeys((*RARE_TYPES, *HOME_TYPES), 1)


@dataclass(frozen=True)
class Picture:
    """A garment, its picture and an alt-text in lower case; `alts` are this and others of the same picture, joined."""

    garment: Garment
    image: Image.Image
    alt: str
    alts: str


def draw_pictures(count: int, seed: int) -> list[Picture]:
    """Draw garments at random, each with alt-texts in lower case; images have been through JPEG."""
    rng = Random(f"pictures {seed}")
    pictures = []
    for _ in track(range(count), "drawing", unit="picture"):
        garment = sample(rng, TYPES)
        image = _pass_through_jpeg(draw(garment, rng))
        alts = [write_alt_text(garment, rng).lower() for _ in range(ALTS)]
        pictures.append(Picture(garment, image, alts[0], " ".join(alts)))
    return pictures


def write_proses(count: int, seed: int) -> list[str]:
    """Write prose in lower case about garments of which there is no picture."""
    rng = Random(f"prose {seed}")
    return [write_prose(sample(rng, TYPES), rng).lower() for _ in range(count)]


def core_accuracy(texts: Sequence[str], garments: Sequence[Garment]) -> dict[str, float]:
    """Measure the shares of texts that name the right type, colour and pattern, and no other; solid is no pattern.

    >>> garments = [Garment("dress", "red", "striped"), Garment("cap", "blue")]
    >>> core_accuracy(["a red dress with stripes", "a striped cap"], garments)
    {'type': 1.0, 'colour': 0.5, 'pattern': 0.5}
    """
    parsed = [parse(text) for text in texts]
    shares = {}
    for attribute in ("type", "colour", "pattern"):
        truth = [getattr(garment, attribute) for garment in garments]
        right = [
            names[attribute] == ([] if value == "solid" else [value])
            for names, value in zip(parsed, truth, strict=True)
        ]
        shares[attribute] = sum(right) / len(right)
    return shares


def _pass_through_jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return Image.open(buffer).convert("RGB")
