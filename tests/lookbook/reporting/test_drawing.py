"""Drawings: valid SVG, and the same bytes for the same values."""

import xml.etree.ElementTree as ElementTree

import pandas as pd

from lookbook.reporting.drawing import (
    Interval,
    Panel,
    Point,
    Scatter,
    draw_intervals,
    draw_learning_curves,
    draw_scatters,
)

PANELS = [
    Panel("NDCG@12", "difference", [Interval("a", 0.1, 0.05, 0.15, True), Interval("b", 0.0, 0.0, 0.0, False)]),
    Panel("CIDEr", "", [Interval("c <&>", -3.0, -9.0, 3.0, False)]),
]
CURVE = pd.DataFrame(
    {"step": [10, 20, 20, 30], "kind": ["loss", "loss", "validation_loss", "loss"], "value": [3.0, 2.0, 2.1, 1.5]}
)


def test_an_interval_plot_is_svg_and_the_same_every_time() -> None:
    svg = draw_intervals(PANELS)
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert draw_intervals(PANELS) == svg


def test_more_intervals_make_a_taller_plot() -> None:
    def height(svg: bytes) -> float:
        return float(ElementTree.fromstring(svg).attrib["height"].removesuffix("pt"))

    assert height(draw_intervals([PANELS[0], PANELS[0]])) > height(draw_intervals([PANELS[0]]))


def test_curves_without_a_kind_are_drawn_and_the_same_every_time() -> None:
    curves = {"tiny-llava": CURVE, "tiny-blip2-opt": CURVE[CURVE["kind"] == "loss"]}
    svg = draw_learning_curves(curves)
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert draw_learning_curves(curves) == svg


def test_scatters_are_svg_with_a_panel_each_and_the_same_every_time() -> None:
    points = [Point(0.1, 0.09, "a", "pt"), Point(4.0, 0.13, "a", "ft"), Point(6.0, 0.17, "", "")]
    scatters = [Scatter(f"score {number}", points, {"no words": 0.016}) for number in range(4)]
    svg = draw_scatters(scatters, "NDCG@12")
    panels = [group for group in ElementTree.fromstring(svg).iter() if group.attrib.get("id", "").startswith("axes_")]
    assert len(panels) in (4, 6)  # empty ones of the last row are hidden
    assert draw_scatters(scatters, "NDCG@12") == svg
    assert draw_scatters(scatters[:1], "NDCG@12") != svg
