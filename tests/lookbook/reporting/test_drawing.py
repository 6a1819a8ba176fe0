"""Drawings: valid SVG, and the same bytes for the same values."""

import xml.etree.ElementTree as ElementTree

import pandas as pd

from lookbook.reporting.drawing import Interval, Panel, draw_intervals, draw_learning_curves

PANELS = [
    Panel("NDCG@12", "difference", [Interval("a", 0.1, 0.05, 0.15, True), Interval("b", 0.0, 0.0, 0.0, False)]),
    Panel("CIDEr", "", [Interval("c <&>", -3.0, -9.0, 3.0, False)]),
]
CURVE = pd.DataFrame({"step": [10, 20, 30], "loss": [3.0, 2.0, 1.5], "validation_loss": [None, 2.1, None]})


def test_an_interval_plot_is_svg_and_the_same_every_time() -> None:
    svg = draw_intervals(PANELS)
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert draw_intervals(PANELS) == svg


def test_more_intervals_make_a_taller_plot() -> None:
    def height(svg: bytes) -> float:
        return float(ElementTree.fromstring(svg).attrib["height"].removesuffix("pt"))

    assert height(draw_intervals([PANELS[0], PANELS[0]])) > height(draw_intervals([PANELS[0]]))


def test_curves_with_gaps_are_drawn_and_the_same_every_time() -> None:
    curves = {"tiny-llava": CURVE, "tiny-blip2-opt": CURVE.assign(validation_loss=None)}
    svg = draw_learning_curves(curves)
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert draw_learning_curves(curves) == svg
