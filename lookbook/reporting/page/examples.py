"""A figure of garments with what captioners say of them: the "qualitative results" of papers."""

import io
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.textpath import TextToPath
from PIL import Image

from lookbook.reporting.charts import Chart
from lookbook.reporting.charts.style import GREEN, GREY, INK, NARROW, RED, show_signs
from lookbook.reporting.page.garments import Garment
from lookbook.reporting.page.marking import Kind, Marked, Part

LETTERS = 6.5  # points
LINE = 0.115  # inches from one line to the next
PICTURE = 1.3  # inches
GAP = 0.14  # inches between garments
MOST_LINES = 7  # of a text
TITLES = {"reference": "description", "pt": "pre-trained", "ft": "fine-tuned"}
POINTS_PER_INCH = 72
LINE_WIDTH = 0.7  # points


class Word(NamedTuple):
    """A word of a text, and what it is."""

    text: str
    kind: Kind = ""
    left: float = 0.0  # inches from the left of its line
    width: float = 0.0  # inches


class Block(NamedTuple):
    """A text in lines, under a title."""

    title: str
    lines: list[list[Word]]


def chart_examples(garments: Sequence[Garment], captioner: str) -> Chart | None:
    """Return a figure of garments with picture, description and captions of a captioner; None without any.

    Args:
        garments: At most a few.
        captioner: The captioner.
    """
    if not garments:
        return None
    rows = [
        {"item_id": one.item_id, "category": one.category, "colour": one.colour, "description": one.description}
        | {"captioner": captioner, "variant": variant, "caption": "".join(part.text for part in marked.parts)}
        | {kind: "; ".join(_list_words(marked, kind)) for kind in ("right", "invented")}
        | {"missed": "; ".join(marked.missed)}
        for one in garments
        for variant, marked in one.captions.get(captioner, {}).items()
    ]
    words = (
        f"Test garments with the shop's description and the captions of {captioner}. Underlined: the description names "
        "it too; in a box: it does not, though it may be true."
    )
    return Chart("examples", words, pd.DataFrame(rows), partial(draw_examples, garments, captioner))


def _list_words(marked: Marked, kind: str) -> list[str]:
    return [part.text for part in marked.parts if part.kind == kind]


def draw_examples(garments: Sequence[Garment], captioner: str, width: float) -> Figure:
    """Draw the garments in rows of four, or of two where it is narrow.

    Args:
        garments: What to draw.
        captioner: Whose captions.
        width: In inches.
    """
    columns = min(len(garments), 2 if width < NARROW else 4)
    cell = (width - GAP * (columns - 1)) / columns
    blocks = [_build_blocks(one, captioner, cell) for one in garments]
    heights = [PICTURE + LINE * sum(1.4 + len(block.lines) for block in own) for own in blocks]
    rows = [max(heights[start : start + columns]) + GAP for start in range(0, len(garments), columns)]
    figure = Figure(figsize=(width, sum(rows)))
    for number, (one, own) in enumerate(zip(garments, blocks, strict=True)):
        row, column = divmod(number, columns)
        left, top = column * (cell + GAP), sum(rows) - sum(rows[:row])
        _draw_picture(figure, one.jpeg, left, top, cell)
        _draw_blocks(figure, own, left, top - PICTURE)
    return figure


def _draw_picture(figure: Figure, jpeg: bytes, left: float, top: float, width: float) -> None:
    pixels = np.asarray(Image.open(io.BytesIO(jpeg)).convert("RGB"))
    shown = min(width, PICTURE * pixels.shape[1] / pixels.shape[0])
    size = figure.get_size_inches()
    height = shown * pixels.shape[0] / pixels.shape[1]
    ax = figure.add_axes((left / size[0], (top - height) / size[1], shown / size[0], height / size[1]))
    ax.imshow(pixels, aspect="auto")
    ax.axis("off")


def _build_blocks(garment: Garment, captioner: str, width: float) -> list[Block]:
    texts = {"reference": Marked([Part(garment.description)], [])} | garment.captions.get(captioner, {})
    return [Block(TITLES[key], wrap_words(marked.parts, width)) for key, marked in texts.items()]


def _draw_blocks(figure: Figure, blocks: Sequence[Block], left: float, top: float) -> None:
    for block in blocks:
        top -= 1.3 * LINE
        _write(figure, block.title, left, top, GREY)
        for line in block.lines:
            top -= LINE
            for words in _group_words(line):
                _write(figure, _join_line(words), left + words[0].left, top, INK)
                _mark(figure, words[0], left + words[0].left, top)
        top -= 0.1 * LINE


def _group_words(line: Sequence[Word]) -> list[list[Word]]:
    """Group the plain words between marked ones: each text that is drawn costs time, and a mark needs its own place."""
    groups: list[list[Word]] = []
    for word in line:
        if groups and not word.kind and not groups[-1][0].kind:
            groups[-1].append(word)
        else:
            groups.append([word])
    return groups


def _join_line(words: Sequence[Word]) -> str:
    """Return words of a line with the spaces between them; pieces of one word have none."""
    ends = [words[0].left, *(word.left + word.width for word in words)]
    spaces = ["" if word.left - end < _measure(" ") / 2 else " " for word, end in zip(words, ends, strict=False)]
    return "".join(space + word.text for space, word in zip(spaces, words, strict=True))


def _write(figure: Figure, text: str, left: float, bottom: float, colour: str) -> None:
    size = figure.get_size_inches()
    figure.text(left / size[0], bottom / size[1], text, fontsize=LETTERS, color=colour, va="baseline")


def _mark(figure: Figure, word: Word, left: float, bottom: float) -> None:
    """Underline a right word, and put a dotted box around an invented one."""
    if not word.kind:
        return
    x, y = figure.get_size_inches()
    places = (left / x, (bottom - 0.025) / y)
    if word.kind == "right":
        ends = ([places[0], places[0] + word.width / x], [places[1]] * 2)
        figure.add_artist(Line2D(*ends, color=GREEN, linewidth=LINE_WIDTH))
        return
    box = Rectangle(places, word.width / x, 0.95 * LINE / y, linewidth=LINE_WIDTH, linestyle=":", fill=False)
    box.set_edgecolor(RED)
    figure.add_artist(box)


def wrap_words(parts: Sequence[Part], width: float) -> list[list[Word]]:
    """Break a text in parts into lines of words; what has no place in `MOST_LINES` ends in an ellipsis.

    Args:
        parts: Of a text, each with its kind.
        width: Of a line, in inches.
    """
    lines: list[list[Word]] = [[]]
    end = 0.0
    for pieces in _split_words(parts):
        whole = sum(_measure(text) for text, _ in pieces)
        gap = _measure(" ") if lines[-1] else 0.0
        if end + gap + whole > width and lines[-1]:
            lines.append([])
            end = gap = 0.0
        end += gap
        for text, kind in (piece for long in pieces for piece in _cut(*long, width)):
            size = _measure(text)
            if end + size > width and lines[-1]:
                lines.append([])
                end = 0.0
            lines[-1].append(Word(text, kind, end, size))
            end += size
    lines = [line for line in lines if line]
    if len(lines) > MOST_LINES:
        last = lines[MOST_LINES - 1]
        last[-1] = Word("…", "", last[-1].left, _measure("…"))
    return lines[:MOST_LINES]


def _split_words(parts: Sequence[Part]) -> list[list[tuple[str, Kind]]]:
    """Return the words between spaces; each is one piece or, where a part begins or ends in it, several."""
    words: list[list[tuple[str, Kind]]] = [[]]
    for text, kind in parts:
        first, *others = show_signs(text).split(" ")
        words[-1].append((first, kind))
        words += [[(other, kind)] for other in others]
    return [pieces for pieces in ([piece for piece in word if piece[0]] for word in words) if pieces]


def _cut(text: str, kind: Kind, width: float) -> list[tuple[str, Kind]]:
    """Cut a piece that is longer than a line."""
    pieces: list[tuple[str, Kind]] = []
    while _measure(text) > width:
        fits = next(n for n in range(len(text) - 1, 0, -1) if n == 1 or _measure(text[:n]) <= width)
        pieces.append((text[:fits], kind))
        text = text[fits:]
    return [*pieces, (text, kind)]


@lru_cache(maxsize=4096)
def _measure(text: str) -> float:
    """Return the width of a text in inches."""
    font = FontProperties(family="DejaVu Sans", size=LETTERS)
    width, _, _ = TextToPath().get_text_width_height_descent(text, font, ismath=False)
    return float(width) / POINTS_PER_INCH
