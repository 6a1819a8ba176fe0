"""Draws a garment in 64 × 64 pixels: every attribute shows; position, size, shade and background vary a little."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image, ImageDraw

from sample.garments.attributes import Garment

SIDE = 64
SUPERSAMPLING = 2
RGB = {
    "black": (28, 28, 30),
    "white": (244, 244, 242),
    "grey": (140, 142, 146),
    "beige": (205, 168, 115),
    "red": (205, 35, 40),
    "pink": (245, 150, 185),
    "orange": (240, 125, 30),
    "yellow": (240, 205, 50),
    "green": (40, 140, 70),
    "blue": (50, 95, 210),
    "navy": (24, 34, 84),
    "purple": (125, 60, 160),
}
BACKGROUNDS = ((250, 250, 250), (228, 222, 214), (205, 213, 224))
BACKGROUNDS_OF_WHITE = ((205, 198, 188), (190, 200, 214))
UPPER_BODY = ("t-shirt", "shirt", "jumper", "hoodie", "jacket", "vest top")

Point = tuple[float, float]


@dataclass(frozen=True)
class Placement:
    """The position of the garment in the picture: scaled about the centre, then moved."""

    scale: float
    right: float
    down: float

    def move(self, points: Sequence[Point], zoom: float = 1) -> list[Point]:
        """Scale and move points, in pixels; `zoom` multiplies the result."""
        middle = SIDE / 2
        return [
            (
                ((x - middle) * self.scale + middle + self.right) * zoom,
                ((y - middle) * self.scale + middle + self.down) * zoom,
            )
            for x, y in points
        ]

    def move_box(
        self, x0: float, y0: float, x1: float, y1: float, zoom: float = 1
    ) -> tuple[float, float, float, float]:
        """Scale and move a box: left, top, right, bottom."""
        (left, top), (right, bottom) = self.move([(x0, y0), (x1, y1)], zoom)
        return left, top, right, bottom


class Silhouette:
    """The outline of a garment, drawn as a mask; `fill=0` cuts a piece out."""

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self.mask = Image.new("L", (SIDE * SUPERSAMPLING, SIDE * SUPERSAMPLING), 0)
        self._draw = ImageDraw.Draw(self.mask)

    def polygon(self, *points: Point, fill: int = 255) -> None:
        """Draw a polygon."""
        self._draw.polygon(self.placement.move(points, SUPERSAMPLING), fill=fill)

    def both_sides(self, *points: Point) -> None:
        """Draw a polygon and its mirror image."""
        self.polygon(*points)
        self.polygon(*[(SIDE - x, y) for x, y in points])

    def ellipse(self, x0: float, y0: float, x1: float, y1: float, fill: int = 255) -> None:
        """Draw an ellipse in a box."""
        self._draw.ellipse(self.placement.move_box(x0, y0, x1, y1, SUPERSAMPLING), fill=fill)

    def arc(self, x0: float, y0: float, x1: float, y1: float, width: int) -> None:
        """Draw the upper half of an ellipse as a line."""
        self._draw.arc(
            self.placement.move_box(x0, y0, x1, y1, SUPERSAMPLING), 180, 360, fill=255, width=width * SUPERSAMPLING
        )

    def half_disc(self, x0: float, y0: float, x1: float, y1: float) -> None:
        """Draw the upper half of an ellipse, filled."""
        self._draw.pieslice(self.placement.move_box(x0, y0, x1, y1, SUPERSAMPLING), 180, 360, fill=255)


def draw(garment: Garment, rng: Random) -> Image.Image:
    """Draw the picture of a garment: RGB, 64 × 64 pixels."""
    placement = Placement(rng.uniform(0.92, 1.03), rng.uniform(-2, 2), rng.uniform(-1.5, 1.5))
    silhouette = Silhouette(placement)
    _draw_outline(garment, silhouette)
    _cut_neck(garment, silhouette)
    mask = silhouette.mask.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    picture = Image.new(
        "RGB", (SIDE, SIDE), rng.choice(BACKGROUNDS_OF_WHITE if garment.colour == "white" else BACKGROUNDS)
    )
    picture.paste(_draw_fabric(garment, rng), (0, 0), mask)
    _draw_details(garment, ImageDraw.Draw(picture), placement)
    return picture


def _draw_fabric(garment: Garment, rng: Random) -> Image.Image:
    fabric = np.tile(np.array(RGB[garment.colour], float) + rng.uniform(-10, 10), (SIDE, SIDE, 1))  # (64, 64, 3)
    phase = rng.randrange(8)
    if garment.pattern != "solid":
        fabric[_locate_pattern(garment.pattern, phase)] = _choose_second_colour(garment.colour)
    fabric += np.random.default_rng(rng.getrandbits(32)).normal(0, 4, fabric.shape)
    return Image.fromarray(np.clip(fabric, 0, 255).astype(np.uint8))


def _choose_second_colour(colour: str) -> tuple[int, int, int]:
    return RGB["black"] if colour in ("white", "yellow", "pink", "beige") else RGB["white"]


def _locate_pattern(pattern: str, phase: int) -> np.ndarray:
    """Mark the pixels of the second colour: bool, (64, 64)."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] + phase
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


def _draw_outline(garment: Garment, shape: Silhouette) -> None:
    if garment.type in UPPER_BODY:
        _draw_upper_body(garment, shape)
    elif garment.type == "dress":
        _draw_dress(garment, shape)
    elif garment.type in ("trousers", "shorts", "skirt"):
        _draw_lower_body(garment, shape)
    elif garment.type in ("sneakers", "boots"):
        _draw_shoe(garment, shape)
    else:
        _draw_accessory(garment, shape)


def _draw_upper_body(garment: Garment, shape: Silhouette) -> None:
    half = 9 if garment.type == "vest top" else 12
    half += {"wide": 3, "slim": -2}.get(garment.fit or "", 0)
    short = {"vest top": 40, "jacket": 43}.get(garment.type, 52)
    bottom = short if garment.length == "short" else (58 if garment.length == "long" else 52)
    shape.both_sides((32, 14), (32 - half, 14), (31 - half, bottom), (32, bottom))
    if garment.sleeve == "short":
        shape.both_sides((32 - half, 14), (23 - half, 25), (28 - half, 30), (34 - half, 24))
    if garment.sleeve == "long":
        shape.both_sides((32 - half, 14), (21 - half, 46), (27 - half, 49), (34 - half, 24))


def _draw_dress(garment: Garment, shape: Silhouette) -> None:
    bottom = {"short": 42, "knee": 51, "long": 61}[garment.length or "knee"]
    shape.polygon((22, 10), (42, 10), (38, 28), (26, 28))
    shape.polygon((26, 27), (38, 27), (46, bottom), (18, bottom))
    if garment.sleeve == "short":
        shape.both_sides((22, 10), (14, 20), (19, 24), (25, 18))
    if garment.sleeve == "long":
        shape.both_sides((22, 10), (12, 40), (17, 42), (25, 20))


def _draw_lower_body(garment: Garment, shape: Silhouette) -> None:
    wide = garment.fit == "wide"
    if garment.type == "skirt":
        bottom, half = {"short": 33, "knee": 46, "long": 61}[garment.length or "knee"], 19 if wide else 10
        shape.polygon((24, 10), (40, 10), (32 + half, bottom), (32 - half, bottom))
        return
    if garment.type == "trousers":
        bottom, half = {"ankle": 50, "long": 61}[garment.length or "long"], 10 if wide else 5
        shape.both_sides((22, 6), (32, 6), (32, 24), (20, 24))
        shape.both_sides((20, 22), (32, 22), (26 + half / 2, bottom), (25 - half, bottom))
        return
    bottom, outer = {"short": 38, "knee": 52}[garment.length or "short"], 12 if wide else 18
    shape.both_sides((20, 14), (32, 14), (32, 28), (18, 28))
    shape.both_sides((18, 27), (32, 27), (30, bottom), (outer, bottom))


def _draw_shoe(garment: Garment, shape: Silhouette) -> None:
    if garment.type == "sneakers":
        if garment.length == "long":
            shape.polygon((8, 18), (24, 18), (25, 34), (8, 40))
        shape.polygon((8, 32), (24, 30), (40, 40), (54, 42), (57, 48), (8, 48))
        return
    top = 26 if garment.length == "short" else 5
    shape.polygon((20, top), (36, top), (36, 40), (52, 44), (54, 52), (20, 52))


def _draw_accessory(garment: Garment, shape: Silhouette) -> None:
    if garment.type == "bag":
        left, top = (21, 34) if garment.length == "short" else (13, 26)
        shape.polygon((left, top), (64 - left, top), (67 - left, 54), (left - 3, 54))
        shape.arc(22, top - 17, 42, top + 16, 3)
    elif garment.type == "cap":
        shape.half_disc(14, 16, 48, 60)
        shape.polygon((40, 36), (58, 40), (58, 43), (40, 41))
    elif garment.type == "felt hat":
        shape.half_disc(20, 18, 44, 60)
        shape.ellipse(6, 34, 58, 46)
    elif garment.type == "tie":
        shape.polygon((28, 6), (36, 6), (34, 14), (30, 14))
        shape.polygon((30, 14), (34, 14), (39, 52), (32, 60), (25, 52))
    elif garment.type == "blanket":
        shape.polygon((6, 14), (58, 10), (58, 52), (6, 56))
    else:
        shape.ellipse(12, 12, 52, 52)
        shape.both_sides((10, 10), (32, 16), (32, 48), (10, 54))


def _cut_neck(garment: Garment, shape: Silhouette) -> None:
    top = 10 if garment.type == "dress" else 14
    if garment.neck == "round":
        shape.ellipse(26, top - 6, 38, top + 5, fill=0)
    elif garment.neck == "v":
        shape.polygon((26, top - 2), (38, top - 2), (32, top + 11), fill=0)
    elif garment.neck == "roll":
        shape.polygon((27, top - 7), (37, top - 7), (38, top + 2), (26, top + 2))
    elif garment.neck == "stand":
        shape.polygon((26, top - 4), (38, top - 4), (38, top + 2), (26, top + 2))
    elif garment.neck == "hood":
        shape.ellipse(22, 2, 42, 22)
        shape.ellipse(26, 6, 38, 21, fill=0)


def _draw_details(garment: Garment, pen: ImageDraw.ImageDraw, placement: Placement) -> None:
    line = (20, 20, 20) if sum(RGB[garment.colour]) > 330 else (235, 235, 235)
    if garment.neck == "collar":
        for side in (-1, 1):
            collar = [(32, 15), (32 + side * 8, 11), (32 + side * 9, 19), (32 + side * 4, 22)]
            pen.polygon(placement.move(collar), outline=line, fill=RGB[garment.colour])
    _draw_closure(garment, pen, placement, line)
    if garment.pocket == "yes":
        for x0, y0, x1, y1 in _locate_pockets(garment):
            pen.rectangle(placement.move_box(x0, y0, x1, y1), outline=line, fill=RGB[garment.colour], width=1)
    if garment.type == "sneakers":
        pen.polygon(placement.move([(8, 47), (57, 47), (57, 51), (8, 51)]), fill=(250, 250, 250), outline=(60, 60, 60))


def _draw_closure(garment: Garment, pen: ImageDraw.ImageDraw, placement: Placement, line: tuple[int, int, int]) -> None:
    bottom = 42 if garment.length == "short" else 52
    if garment.closure == "buttons":
        if garment.type == "cap":
            spots: Sequence[Point] = [(31, 16)]
        else:
            first, last = (
                (14, {"short": 33, "knee": 44}.get(garment.length or "", 56))
                if garment.type == "skirt"
                else (22, bottom)
            )
            spots = [(32, y) for y in range(first, last, 6)]
        for x, y in spots:
            pen.ellipse(placement.move_box(x - 1.5, y - 1.5, x + 1.5, y + 1.5), fill=line)
    elif garment.closure == "zip":
        for start, end in _locate_zips(garment, bottom):
            pen.line(placement.move([start, end]), fill=line, width=2)
    elif garment.closure == "laces":
        x, y, step = (22, 34, 2) if garment.type == "sneakers" else (29, 28, 3)
        for i in range(4):
            dx = 4 * i if garment.type == "sneakers" else 1 * i
            pen.line(placement.move([(x + dx, y + step * i), (x + dx + 5, y + step * i - 3)]), fill=line, width=1)


def _locate_zips(garment: Garment, bottom: int) -> list[tuple[Point, Point]]:
    if garment.type == "bag":
        left, top = (22, 36) if garment.length == "short" else (14, 29)
        return [((left, top), (64 - left, top))]
    if garment.type == "boots":
        return [((25, 30 if garment.length == "short" else 10), (25, 48))]
    return [((32, 20), (32, bottom))]


def _locate_pockets(garment: Garment) -> list[tuple[int, int, int, int]]:
    if garment.type == "bag":
        return [(25, 42, 39, 51)] if garment.length == "short" else [(22, 37, 42, 50)]
    if garment.type == "hoodie":
        return [(24, 38, 40, 47)]
    if garment.type == "trousers":
        return [(35, 10, 42, 18), (22, 10, 29, 18)]
    if garment.type == "shorts":
        return [(35, 18, 42, 26), (22, 18, 29, 26)]
    return [(35, 24, 41, 32)]
