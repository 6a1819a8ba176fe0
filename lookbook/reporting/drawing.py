"""Drawings as SVG bytes that are the same for the same values: intervals, learning curves."""

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK = "#1a1a1a"
GREY = "#8a8a8a"
BLUE = "#1f5fa8"
ORANGE = "#b8550f"
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "text.color": INK,
    "svg.hashsalt": "lookbook",  # else the ids inside the file are random
    "svg.fonttype": "path",
}


class Interval(NamedTuple):
    """A difference with its interval, in the unit of the axis; `significant` where its corrected p is below 0.05."""

    label: str
    difference: float
    low: float
    high: float
    significant: bool


class Panel(NamedTuple):
    """One axis of an interval plot, with a unit of its own."""

    title: str
    unit: str
    intervals: Sequence[Interval]


def draw_intervals(panels: Sequence[Panel]) -> bytes:
    """Draw the panels below one another, a row per interval, with a line at zero."""
    with matplotlib.rc_context(STYLE):
        heights = [len(panel.intervals) + 1.6 for panel in panels]
        figure = Figure(figsize=(7, 0.26 * sum(heights) + 0.3), layout="constrained")
        axes = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
        for panel, ax in zip(panels, axes, strict=True):
            _draw_panel(ax, panel)
        return _save_svg(figure)


def _draw_panel(ax: Axes, panel: Panel) -> None:
    ax.axvline(0, color=GREY, linewidth=1)
    for row, interval in enumerate(panel.intervals):
        colour = BLUE if interval.significant else GREY
        fill = colour if interval.significant else "white"
        ax.plot([interval.low, interval.high], [row, row], color=colour, linewidth=1.6, solid_capstyle="butt")
        ax.plot([interval.difference], [row], "o", color=colour, markersize=5, markerfacecolor=fill)
    ax.set_yticks(range(len(panel.intervals)), [interval.label for interval in panel.intervals])
    ax.set_ylim(len(panel.intervals) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.set_title(panel.title, loc="left", fontsize=10, fontweight="bold")
    ax.set_xlabel(panel.unit, fontsize=8)


def draw_learning_curves(curves: dict[str, pd.DataFrame]) -> bytes:
    """Draw training and validation loss by optimiser step, a panel per captioner."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 2.4), layout="constrained")
        axes = figure.subplots(1, len(curves), squeeze=False)[0]
        for (captioner, curve), ax in zip(curves.items(), axes, strict=True):
            for column, colour, marker in (("loss", ORANGE, ""), ("validation_loss", BLUE, "o")):
                points = curve[["step", column]].dropna()
                ax.plot(
                    points["step"],
                    points[column],
                    marker + "-",
                    color=colour,
                    markersize=4,
                    linewidth=1.4,
                    label=column.replace("_", " "),
                )
            ax.set_title(captioner, loc="left", fontsize=9, fontweight="bold")
            ax.set_xlabel("step", fontsize=8)
            ax.set_ylim(bottom=0)
        axes[0].legend(frameon=False, fontsize=8)
        return _save_svg(figure)


def _save_svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
