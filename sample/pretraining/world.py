"""Pictures and texts of the sample's world to pre-train on: alt-text with pictures, prose without. Never the shop's descriptions."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from PIL import Image

from catalogue.descriptions.vocabulary import parse
from pipeline.core.progress import track
from sample.garments.attributes import HOME_TYPES, RARE_TYPES, TYPE_WEIGHTS, Garment, sample
from sample.garments.drawing import draw
from sample.garments.wording import alt_text, prose

TYPES: dict[str, int] = TYPE_WEIGHTS | dict.fromkeys((*RARE_TYPES, *HOME_TYPES), 1)


@dataclass(frozen=True)
class Picture:
    """A drawing and what a web page says of it."""

    garment: Garment
    image: Image.Image
    alt: str


def pictures(count: int, seed: int) -> list[Picture]:
    """Garments drawn at random, each with one alt-text in lower case; images as they come out of a JPEG file."""
    rng = Random(f"pictures {seed}")
    made = []
    for _ in track(range(count), "drawing", unit="picture"):
        garment = sample(rng, TYPES)
        made.append(Picture(garment, _through_jpeg(draw(garment, rng)), alt_text(garment, rng).lower()))
    return made


def proses(count: int, seed: int) -> list[str]:
    """Prose in lower case about garments of which there is no picture."""
    rng = Random(f"prose {seed}")
    return [prose(sample(rng, TYPES), rng).lower() for _ in range(count)]


def core_accuracy(texts: Sequence[str], garments: Sequence[Garment]) -> dict[str, float]:
    """Share of texts that name the right type, colour and pattern, and nothing else in its place (a solid one: no pattern)."""
    found = [parse(text) for text in texts]
    shares = {}
    for attribute in ("type", "colour", "pattern"):
        truth = [getattr(garment, attribute) for garment in garments]
        right = [
            names[attribute] == ([] if value == "solid" else [value]) for names, value in zip(found, truth, strict=True)
        ]
        shares[attribute] = sum(right) / len(right)
    return shares


def _through_jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=90)
    return Image.open(buffer).convert("RGB")
