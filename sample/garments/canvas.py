"""The canvas of a drawing: its size, the colours, where a garment lies on it, and the mask of its outline."""

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 64, 96  # pixels: a portrait of 2:3, as H&M's
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

Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, top, right, bottom


@dataclass(frozen=True)
class Placement:
    """The position of the garment in the picture: scaled about the centre, then moved."""

    scale: float
    right: float
    down: float

    def move(self, points: Sequence[Point], zoom: float = 1) -> list[Point]:
        """Scale and move points, in pixels; `zoom` multiplies the result."""
        across, along = WIDTH / 2, HEIGHT / 2
        return [
            (
                ((x - across) * self.scale + across + self.right) * zoom,
                ((y - along) * self.scale + along + self.down) * zoom,
            )
            for x, y in points
        ]

    def move_box(self, box: Box, zoom: float = 1) -> Box:
        """Scale and move a box."""
        (left, top), (right, bottom) = self.move([box[:2], box[2:]], zoom)
        return left, top, right, bottom


class Silhouette:
    """The outline of a garment, drawn as a mask; `fill=0` cuts a piece out."""

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self.mask = Image.new("L", (WIDTH * SUPERSAMPLING, HEIGHT * SUPERSAMPLING), 0)
        self._draw = ImageDraw.Draw(self.mask)

    def polygon(self, *points: Point, fill: int = 255) -> None:
        """Draw a polygon."""
        self._draw.polygon(self.placement.move(points, SUPERSAMPLING), fill=fill)

    def both_sides(self, *points: Point) -> None:
        """Draw a polygon and its mirror image."""
        self.polygon(*points)
        self.polygon(*mirror(points))

    def ellipse(self, *box: float, fill: int = 255) -> None:
        """Draw an ellipse in a box: left, top, right, bottom."""
        left, top, right, bottom = box
        self._draw.ellipse(self.placement.move_box((left, top, right, bottom), SUPERSAMPLING), fill=fill)

    def arc(self, box: Box, width: int) -> None:
        """Draw the upper half of an ellipse as a line."""
        self._draw.arc(self.placement.move_box(box, SUPERSAMPLING), 180, 360, fill=255, width=width * SUPERSAMPLING)

    def half_disc(self, box: Box) -> None:
        """Draw the upper half of an ellipse, filled."""
        self._draw.pieslice(self.placement.move_box(box, SUPERSAMPLING), 180, 360, fill=255)


def mirror(points: Sequence[Point]) -> list[Point]:
    """Mirror points at the vertical line through the middle."""
    return [(WIDTH - x, y) for x, y in points]
