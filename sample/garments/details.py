"""The details that are drawn on a garment: collar, ribbing, closure, pockets, belt and sole."""

from collections.abc import Sequence

from PIL import ImageDraw

from sample.garments.attributes import Garment
from sample.garments.canvas import RGB, Box, Placement, Point, mirror
from sample.garments.outlines import WAISTS, locate_bag, locate_sleeve, measure_half_width, measure_hem

DARK, LIGHT = (20, 20, 20), (235, 235, 235)
RIBBING = 6  # pixels
Colour = tuple[int, int, int]


class Pen:
    """Draws shapes that lie where the garment lies, in its colour or in one that stands out from it."""

    def __init__(self, canvas: ImageDraw.ImageDraw, placement: Placement, colour: str) -> None:
        self._canvas = canvas
        self._placement = placement
        self.plain: Colour = RGB[colour]
        self.line: Colour = DARK if sum(self.plain) > 330 else LIGHT
        self.shade = _mix(self.plain, self.line)

    def polygon(self, points: Sequence[Point], fill: Colour, outline: Colour | None = None) -> None:
        """Draw a polygon."""
        self._canvas.polygon(self._placement.move(points), fill=fill, outline=outline)

    def both_sides(self, points: Sequence[Point], fill: Colour, outline: Colour | None = None) -> None:
        """Draw a polygon and its mirror image."""
        self.polygon(points, fill, outline)
        self.polygon(mirror(points), fill, outline)

    def box(self, box: Box, fill: Colour, outline: Colour | None = None) -> None:
        """Draw a rectangle."""
        self._canvas.rectangle(self._placement.move_box(box), fill=fill, outline=outline)

    def dot(self, x: float, y: float, radius: float) -> None:
        """Draw a disc that stands out, such as a button."""
        box = self._placement.move_box((x - radius, y - radius, x + radius, y + radius))
        self._canvas.ellipse(box, fill=self.line, outline=self.line)

    def stroke(self, start: Point, end: Point, width: int) -> None:
        """Draw a line that stands out."""
        self._canvas.line(self._placement.move([start, end]), fill=self.line, width=width)


def draw_details(garment: Garment, pen: Pen) -> None:
    """Draw every detail of a garment."""
    if garment.type in ("jumper", "hoodie"):
        _draw_ribbing(garment, pen)
    if garment.type == "jacket":
        _draw_front(garment, pen)
    if garment.neck == "collar":
        pen.both_sides([(32, 24), (26, 11), (19, 19), (24, 31)], pen.plain, pen.line)
    if garment.neck == "hood":
        for x in (28, 36):
            pen.stroke((x, 26), (x, 38), 1)
    if garment.pocket == "yes":
        for box in _locate_pockets(garment):
            pen.box(box, pen.plain, pen.line)
    _draw_closure(garment, pen)
    _draw_waist(garment, pen)
    _draw_sole(garment, pen)


def _draw_ribbing(garment: Garment, pen: Pen) -> None:
    """Draw ribbing at hem and cuffs: it tells a jumper from a T-shirt."""
    half, hem = measure_half_width(garment), measure_hem(garment)
    pen.box((32 - half, hem - RIBBING, 32 + half, hem), pen.shade)
    shoulder, outer, inner, armpit = locate_sleeve(garment)
    share = RIBBING / (outer[1] - shoulder[1])
    pen.both_sides([_between(outer, shoulder, share), outer, inner, _between(inner, armpit, share)], pen.shade)


def _draw_front(garment: Garment, pen: Pen) -> None:
    """Draw a jacket's lining and front edge: they tell it from a shirt."""
    lining = LIGHT if pen.line == LIGHT else DARK
    if garment.neck == "collar":
        pen.polygon([(26, 12), (38, 12), (32, 34)], lining)
        pen.both_sides([(26, 12), (21, 24), (26, 27), (32, 36)], pen.plain, pen.line)
    else:
        pen.box((30, 6, 34, 22), lining)
    pen.stroke((32, 34 if garment.neck == "collar" else 20), (32, measure_hem(garment)), 1)


def _locate_pockets(garment: Garment) -> list[Box]:
    if garment.type == "bag":
        left, top, right, bottom = locate_bag(garment)
        height = bottom - top
        return [(left + 4, bottom - 0.55 * height, right - 4, bottom - 3)]
    if garment.type == "hoodie":
        hem = measure_hem(garment)
        return [(22, hem - 22, 42, hem - 9)]
    if garment.type in WAISTS:
        top = WAISTS[garment.type] + 8
        return [(22, top, 28, top + 11), (36, top, 42, top + 11)]
    if garment.type == "jacket":
        top = 37 if garment.length == "short" else 70
        return [(19, top, 28, top + 7), (36, top, 45, top + 7)]
    return [(33, 38, 40, 46)]


def _draw_waist(garment: Garment, pen: Pen) -> None:
    top = WAISTS.get(garment.type, 50 if garment.length == "short" else 58)
    if garment.waist == "belt":
        half = measure_half_width(garment) if garment.type == "jacket" else 8 if garment.type == "dress" else 11
        pen.box((32 - half, top, 32 + half, top + 5), pen.line)
        pen.box((29, top - 1, 35, top + 6), pen.plain, pen.line)
    elif garment.waist == "drawstring":
        for x in (27, 37):
            pen.stroke((32, top + 3), (x, top + 17), 2)
        pen.dot(32, top + 3, 2)
    elif garment.type == "dress":  # the seam tells a dress from a long vest top
        pen.box((24, top, 40, top + 1), pen.shade)


def _draw_closure(garment: Garment, pen: Pen) -> None:
    if garment.closure == "laces":
        _draw_laces(garment, pen)
    elif garment.type == "bag":
        left, top, right, _ = locate_bag(garment)
        if garment.closure == "zip":
            pen.stroke((left + 1, top + 4), (right - 1, top + 4), 2)
        else:
            pen.dot(32, top + 4, 2.5)
    elif garment.type == "cap":
        if garment.closure == "buttons":
            pen.dot(28, 28, 3)
    elif garment.closure == "buttons":
        x, first, step, radius = {"jacket": (36, 40, 8, 2), "skirt": (32, 19, 8, 2)}.get(garment.type, (32, 34, 7, 1.5))
        hem = measure_hem(garment)
        pen.box((x - radius - 1, first - 4, x + radius + 1, hem - 1), pen.plain)
        for y in range(first, int(hem) - 2, step):
            pen.dot(x, y, radius)
    elif garment.closure == "zip":
        start, end = _locate_zip(garment)
        pen.box((start[0] - 2.5, start[1], end[0] + 2.5, end[1]), pen.plain)
        pen.stroke(start, end, 3)


def _locate_zip(garment: Garment) -> tuple[Point, Point]:
    if garment.type == "boots":
        return (26, 46 if garment.length == "short" else 10), (26, 74)
    return (32, 36 if garment.neck == "collar" else 24), (32, measure_hem(garment) - 1)


def _draw_laces(garment: Garment, pen: Pen) -> None:
    if garment.type == "sneakers":
        for step in range(4):
            x, y = 24 + 5 * step, 50 + 3.5 * step
            pen.stroke((x, y), (x + 6, y - 4), 2)
        return
    for y in range(46 if garment.length == "short" else 22, 66, 5):
        pen.stroke((30, y), (37, y - 3), 2)


def _draw_sole(garment: Garment, pen: Pen) -> None:
    if garment.type == "sneakers":
        pen.box((8, 67, 57, 84 if garment.sole == "chunky" else 72), LIGHT, DARK)
    elif garment.type == "boots":
        pen.box((17, 78, 56, 90 if garment.sole == "chunky" else 81), (90, 70, 55), DARK)
        if garment.sole == "heel":
            pen.box((17, 78, 27, 93), (90, 70, 55), DARK)


def _mix(first: Colour, second: Colour) -> Colour:
    red, green, blue = (round(0.6 * a + 0.4 * b) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _between(start: Point, end: Point, share: float) -> Point:
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])
