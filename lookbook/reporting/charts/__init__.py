"""The figures of a study: each is what is drawn, as a table, and how."""

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd
from matplotlib.figure import Figure

from lookbook.reporting.charts.style import COLUMN, PAGE, PAPER_COLOURS, styled

Kind = Literal["svg", "pdf", "png"]
KINDS: tuple[Kind, ...] = ("svg", "pdf", "png")
WIDTHS = {"column": COLUMN, "page": PAGE}  # inches
MOST_REM = 46  # of a figure as wide as a page in an HTML page; others are as much smaller as they are, letters alike
PIXELS = 300  # of PNG, by inch


@dataclass(frozen=True)
class Chart:
    """A figure.

    Attributes:
        name: The name of its files.
        words: What it shows and how to read it: the caption, and the text for who cannot see it.
        frame: Exactly what is drawn, for CSV.
        draw: Draws it at a width in inches.
    """

    name: str
    words: str
    frame: pd.DataFrame
    draw: Callable[[float], Figure]
    drawn: dict[float, Figure] = field(default_factory=dict, compare=False, repr=False)  # by width

    def render(self, kinds: Sequence[Kind] = KINDS, width: float = PAGE) -> dict[Kind, bytes]:
        """Return the figure as files, by kind; equal values give equal bytes."""
        with styled("path"):
            figure = self._draw(width)
            return {kind: _save(figure, kind) for kind in kinds}

    def _draw(self, width: float) -> Figure:
        """Draw, and settle the places of all parts once for the page and all kinds of files: each would do it again."""
        if width not in self.drawn:
            figure = self.draw(width)
            if figure.get_layout_engine() is not None:
                figure.draw_without_rendering()
            figure.set_layout_engine(None)  # "none" keeps a placeholder, for which every file is drawn twice
            self.drawn[width] = figure
        return self.drawn[width]

    def csv(self) -> str:
        """Return what is drawn, at full precision."""
        return self.frame.to_csv(index=False, lineterminator="\n")

    def inline(self, width: float = PAGE) -> str:
        """Return an `svg` element for a page: its text is text, and its colours are the page's variables.

        Every id is the chart's own, as an element of one figure must not be taken for that of another.
        """
        with styled("none"):
            text = _save(self._draw(width), "svg").decode("utf-8")
        text = re.sub(r"(?s)^.*?(?=<svg)|<metadata>.*?</metadata>|<!--.*?-->", "", text)
        text = re.sub(r'\sid="([^"]*)"', rf' id="{self.name}-\1"', text)
        text = re.sub(r'(href="#|url\(#)', rf"\1{self.name}-", text)
        for colour, variable in PAPER_COLOURS.items():
            text = re.sub(rf"{colour}(?![0-9a-f])", f"var(--{variable})", text, flags=re.IGNORECASE)
        text = text.replace("xlink:href", "href")
        size = MOST_REM * self._draw(width).get_size_inches()[0] / PAGE
        text = text.replace("font-family: 'DejaVu Sans'", "font-family: var(--figure-font)")
        return re.sub(
            r'<svg [^>]*?(viewBox="[^"]*")[^>]*>',
            rf'<svg \1 style="max-width: {size:.3g}rem" aria-hidden="true" focusable="false">',
            text,
            count=1,
        )


def _save(figure: Figure, kind: Kind) -> bytes:
    buffer = io.BytesIO()
    silent = {
        "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
        "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
        "png": {"Software": None},
    }
    figure.savefig(buffer, format=kind, metadata=silent[kind], dpi=PIXELS)
    return buffer.getvalue()
