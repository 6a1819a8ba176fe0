"""How figures look: widths and letters of papers, colours that all eyes tell apart, each with a marker of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal

import matplotlib
from matplotlib import font_manager
from matplotlib.ft2font import FT2Font

from lookbook.reporting.text import replace_unknown

COLUMN, PAGE = 3.33, 6.9  # inches: one and two columns of ACM and IEEE
NARROW = 5.0  # below it, labels stand above their rows
INK = "#1a1a1a"
GREY = "#8a8a8a"
PAPER = "#fefefe"
BLUE, ORANGE, GREEN, PURPLE, RED, SKY = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#d55e00",
    "#56b4e9",
)  # Okabe, Ito 2008
SERIES = ((BLUE, "o"), (RED, "s"), (GREEN, "^"), (PURPLE, "D"), (ORANGE, "v"), (SKY, "P"))  # colour and marker
PAPER_COLOURS = {  # colour -> the variable of the page that takes its place
    INK: "ink",
    GREY: "figure-grey",
    PAPER: "paper",
    BLUE: "figure-blue",
    ORANGE: "figure-orange",
    GREEN: "figure-green",
    PURPLE: "figure-purple",
    RED: "figure-red",
    SKY: "figure-sky",
}
POINTS = 8
MOST_SIGNS = 60  # of a label
STYLE: Any = {
    "font.size": POINTS,
    "font.family": "DejaVu Sans",
    "axes.titlesize": POINTS,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": POINTS - 1,
    "xtick.labelsize": POINTS - 1,
    "ytick.labelsize": POINTS - 1,
    "legend.fontsize": POINTS - 1,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "savefig.facecolor": "none",
    "axes.labelcolor": INK,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "text.parse_math": False,  # `$` in data is a sign
    "axes.unicode_minus": True,
    "svg.hashsalt": "lookbook",  # else the ids inside the file are random
    "pdf.fonttype": 42,  # TrueType; publishers refuse Type 3
    "pdf.use14corefonts": False,
    "lines.linewidth": 1.4,
    "lines.markersize": 5,
}


@contextmanager
def styled(letters: Literal["path", "none"]) -> Iterator[None]:
    """Draw in this style; the letters of an SVG are outlines (`path`), or text of the page (`none`)."""
    with matplotlib.rc_context({**STYLE, "svg.fonttype": letters}):
        yield


def series(number: int) -> tuple[str, str]:
    """Return the colour and marker of a series: no two share both."""
    colour, _ = SERIES[number % len(SERIES)]
    _, marker = SERIES[(number + number // len(SERIES)) % len(SERIES)]
    return colour, marker


def show_signs(text: object) -> str:
    """Return a text with signs that a figure's letters lack by their numbers."""
    return replace_unknown(text, lambda sign: ord(sign) in _known_signs())


def label(text: object) -> str:
    """Return a text as a figure can show it: signs that its letters lack stand by their numbers, and it is not long."""
    shown = show_signs(text)
    return shown if len(shown) <= MOST_SIGNS else shown[: MOST_SIGNS - 1] + "…"


@cache
def _known_signs() -> frozenset[int]:
    path = font_manager.findfont("DejaVu Sans", fallback_to_default=False)
    return frozenset(FT2Font(path).get_charmap())
