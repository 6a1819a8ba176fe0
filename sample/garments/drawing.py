"""Draws a garment in 64 × 96 pixels: every attribute shows; position, size, shade and background vary a little."""

from random import Random

import numpy as np
from PIL import Image, ImageDraw

from sample.garments.attributes import Garment
from sample.garments.canvas import HEIGHT, RGB, WIDTH, Placement, Silhouette
from sample.garments.details import Pen, draw_details
from sample.garments.outlines import draw_outline

BACKGROUNDS = ((250, 250, 250), (228, 222, 214), (205, 213, 224))
BACKGROUNDS_OF_WHITE = ((205, 198, 188), (190, 200, 214))


def draw(garment: Garment, rng: Random) -> Image.Image:
    """Draw the picture of a garment: RGB, 64 × 96 pixels."""
    placement = Placement(rng.uniform(0.92, 1.03), rng.uniform(-2, 2), rng.uniform(-1.5, 1.5))
    silhouette = Silhouette(placement)
    draw_outline(garment, silhouette)
    size = (WIDTH, HEIGHT)
    mask = silhouette.mask.resize(size, Image.Resampling.BILINEAR)
    picture = Image.new("RGB", size, rng.choice(BACKGROUNDS_OF_WHITE if garment.colour == "white" else BACKGROUNDS))
    picture.paste(_draw_fabric(garment, rng), (0, 0), mask)
    draw_details(garment, Pen(ImageDraw.Draw(picture), placement, garment.colour))
    return picture


def _draw_fabric(garment: Garment, rng: Random) -> Image.Image:
    fabric = np.tile(np.array(RGB[garment.colour], float) + rng.uniform(-10, 10), (HEIGHT, WIDTH, 1))  # (96, 64, 3)
    phase = rng.randrange(8)
    if garment.pattern != "solid":
        fabric[_locate_pattern(garment.pattern, phase)] = _choose_second_colour(garment.colour)
    fabric += np.random.default_rng(rng.getrandbits(32)).normal(0, 4, fabric.shape)
    return Image.fromarray(np.clip(fabric, 0, 255).astype(np.uint8))


def _choose_second_colour(colour: str) -> tuple[int, int, int]:
    return RGB["black"] if colour in ("white", "yellow", "pink", "beige") else RGB["white"]


def _locate_pattern(pattern: str, phase: int) -> np.ndarray:
    """Mark the pixels of the second colour: bool, (96, 64)."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] + phase
    if pattern == "striped":
        return (y // 3) % 3 == 0
    if pattern == "pinstriped":
        return x % 6 < 2
    if pattern == "dotted":
        return (x % 8 - 3.5) ** 2 + (y % 8 - 3.5) ** 2 < 4.2
    if pattern == "checked":
        return (x // 5) % 2 != (y // 5) % 2
    across, down = x % 12 - 5.5, y % 12 - 5.5  # floral: five petals around an open middle
    radius, angle = np.hypot(across, down), np.arctan2(down, across)
    return (radius < 2.2 + 2.6 * np.abs(np.cos(2.5 * angle))) & (radius > 1.3)
