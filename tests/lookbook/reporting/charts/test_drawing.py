"""Figures: the same bytes for the same values, letters that publishers take, and texts that stay texts."""

import itertools
import re
import xml.etree.ElementTree as ElementTree
from functools import partial

import pandas as pd
import pytest

from lookbook.reporting.charts import Chart
from lookbook.reporting.charts.drawing import (
    Interval,
    Panel,
    Plane,
    Point,
    Scatter,
    Slope,
    draw_bars,
    draw_bins,
    draw_frontier,
    draw_intervals,
    draw_learning_curves,
    draw_matrix,
    draw_plane,
    draw_scatters,
    draw_slopes,
    draw_stacks,
)
from lookbook.reporting.charts.style import COLUMN, PAGE, SERIES, label, series, styled
from tests.helpers.hostile import HOSTILE

PANELS = [
    Panel("NDCG@12", "difference", [Interval("a", 0.1, 0.05, 0.15, True), Interval("b", 0.0, 0.0, 0.0, False)]),
    Panel("CIDEr", "", [Interval("c <&>", -3.0, -9.0, 3.0, False, 1.0)], ("worse", "better")),
]
CURVE = pd.DataFrame(
    {"step": [10, 20, 20, 30], "kind": ["loss", "loss", "validation_loss", "loss"], "value": [3.0, 2.0, 2.1, 1.5]}
)
POINTS = [Point(0.1, 0.09, "a", "pt"), Point(4.0, 0.13, "a", "ft", 0.1, 0.16), Point(6.0, 0.17, "", "")]
FRAME = pd.DataFrame({"recommender": ["a", "b"], "coverage": [0.2, 0.8], "ndcg": [0.1, 0.05]})
MATRIX = pd.DataFrame([[0.9, 0.1], [0.0, 1.0]], ["dress", "shirt"], ["dress", "shirt"])
DRAWINGS = {
    "intervals": partial(draw_intervals, PANELS),
    "curves": partial(draw_learning_curves, {"a": CURVE, "b": CURVE[CURVE["kind"] == "loss"]}),
    "scatters": partial(draw_scatters, [Scatter(str(n), POINTS, {"no words": 0.016}) for n in range(4)], "NDCG"),
    "slopes": partial(draw_slopes, [Slope("CIDEr", {"a": (0.1, 0.5), "b": (0.2, 0.4)}, {"ceiling": 0.9})]),
    "plane": partial(draw_plane, [Plane("a", (0.2, 0.8), (0.7, 0.7))], {"floor": (0.1, 0.1), "ceiling": (0.9, 0.9)}),
    "matrix": partial(draw_matrix, MATRIX, "true", "read"),
    "frontier": partial(draw_frontier, FRAME, "coverage", "ndcg", ("coverage", "NDCG")),
    "stacks": partial(draw_stacks, {"first: <a> over b": {"first": 0.5, "equal": 0.48, "second": 0.02}}, "judgements"),
    "bins": partial(
        draw_bins, {"a": [0.1, float("nan"), 0.3], "b": [0.0, 0.1, 0.2]}, ["0", "1–2", "3 and more"], ("x", "y")
    ),
    "bars": partial(draw_bars, {"a": 40.0, "b": 3.0}, "seconds"),
}


def chart(name: str) -> Chart:
    return Chart(name, "words", FRAME, DRAWINGS[name])


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_figure_is_drawn_at_both_widths(name: str) -> None:
    for inches in (COLUMN, PAGE):
        svg = ElementTree.fromstring(chart(name).render(["svg"], inches)["svg"])
        assert float(svg.attrib["width"].removesuffix("pt")) <= 72 * inches + 0.01


def test_the_same_values_give_the_same_bytes_and_other_values_others() -> None:
    first, again = (chart("slopes").render() for _ in range(2))
    assert first == again
    other = Chart("slopes", "words", FRAME, partial(draw_slopes, [Slope("CIDEr", {"a": (0.1, 0.6)}, {})]))
    assert other.render(["svg"]) != {"svg": first["svg"]}


def test_letters_of_a_pdf_are_embedded_as_truetype() -> None:
    """Publishers refuse Type 3."""
    pdf = chart("bars").render(["pdf"], COLUMN)["pdf"]
    assert b"/FontFile2" in pdf
    assert b"/CIDFontType2" in pdf
    assert b"/Type3" not in pdf


def test_an_inline_figure_has_text_colours_of_the_page_and_ids_of_its_own() -> None:
    text = chart("intervals").inline()
    assert "<text" in text
    assert not re.search(r"#[0-9a-f]{6}", re.sub(r'(href|url\()="?#\S*', "", text))
    assert all(found.startswith("intervals-") for found in re.findall(r'id="([^"]*)"', text))
    assert "<?xml" not in text
    assert "c &lt;&amp;&gt;" in text
    references = set(re.findall(r'(?:href="|url\()#([^")]*)', text))
    assert references <= set(re.findall(r'id="([^"]*)"', text))


def test_letters_of_a_narrower_figure_are_no_larger_on_a_page() -> None:
    """A page shows a figure as wide as it was drawn: one of 6.9 inches in 46 rem."""
    for name in ("plane", "slopes"):
        svg = chart(name).inline()
        [points] = re.findall(r'viewBox="0 0 ([0-9.]+) ', svg)
        [rem] = re.findall(r'style="max-width: ([0-9.]+)rem"', svg)
        assert float(rem) / float(points) == pytest.approx(46 / (72 * PAGE), rel=0.01)


def test_words_at_the_ends_of_an_axis_stand_apart() -> None:
    """A page shows several spaces in a text as one."""
    panel = Panel("a", "unit", [Interval("b", 0.1, 0.0, 0.2, True)], ("PT is better", "FT is better"))
    svg = Chart("ends", "", FRAME, partial(draw_intervals, [panel])).inline()
    places = re.findall(r"<text[^>]*?>(← PT is better|FT is better →)</text>", svg)
    assert places == ["← PT is better", "FT is better →"]


def test_each_row_has_the_band_of_its_own_test() -> None:
    rows = [
        Interval("a", 0.3, 0.1, 0.5, True, 0.2),
        Interval("b", 0.1, 0.05, 0.15, True, 0.04),
        Interval("c", 0.0, 0.0, 0.0, False),
    ]
    (ax,) = draw_intervals([Panel("", "", rows)], 6).axes
    bands = [(patch.get_x(), patch.get_width(), patch.get_y()) for patch in ax.patches]
    assert bands == [(-0.2, 0.4, -0.5), (-0.04, 0.08, 0.5)]


@pytest.mark.parametrize("best", [0.1715, 0.1763, 0.1801, 0.03])
@pytest.mark.parametrize("inches", [COLUMN, PAGE])
def test_names_of_levels_that_are_near_one_another_stand_apart(best: float, inches: float) -> None:
    levels = {"own words": 0.1763, "no words": 0.02, "best without captions": best}
    with styled("path"):
        figure = draw_scatters([Scatter(str(n), POINTS, levels) for n in range(4)], "NDCG", inches)
        for ax in figure.axes[:4]:
            boxes = sorted((text.get_window_extent().y0, text.get_window_extent().y1) for text in ax.texts)
            assert len(boxes) == len(levels)
            assert all(low[1] <= high[0] for low, high in itertools.pairwise(boxes))


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_text_is_drawn_as_text(text: str) -> None:
    """Neither a formula nor markup, no sign that the letters lack, and never longer than a figure."""
    assert len(label(text)) <= 60
    interval = Panel(text, "", [Interval(text, 0.1, 0.0, 0.2, True)])
    svg = Chart("hostile", "", FRAME, partial(draw_intervals, [interval])).inline()
    assert {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()} <= {
        *("svg", "g", "defs", "style", "path", "text", "tspan", "use", "clipPath", "rect"),
    }


def test_no_two_series_share_colour_and_marker() -> None:
    assert len({series(number) for number in range(len(SERIES) ** 2)}) == len(SERIES) ** 2
