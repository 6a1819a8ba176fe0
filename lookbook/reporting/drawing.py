"""Drawings as SVG bytes that are the same for the same values: intervals, learning curves, quality against NDCG."""

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
COLUMNS = 3  # scatters beside one another
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


class Point(NamedTuple):
    """A source of captions: its score and its NDCG; a line joins the points of a captioner."""

    score: float
    ndcg: float
    captioner: str  # "" where no captioner wrote it
    variant: str  # ft, pt; "" where no captioner wrote it


class Scatter(NamedTuple):
    """A caption score against NDCG; `levels` are NDCG values that no caption was needed for, by name."""

    title: str
    points: Sequence[Point]
    levels: dict[str, float]


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
    """Draw training and validation loss by optimiser step, a panel per captioner.

    Args:
        curves: For each captioner its curve: step, kind, value.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7, 2.4), layout="constrained")
        axes = figure.subplots(1, len(curves), squeeze=False)[0]
        for (captioner, curve), ax in zip(curves.items(), axes, strict=True):
            for kind, colour, marker in (("loss", ORANGE, ""), ("validation_loss", BLUE, "o")):
                points = curve[curve["kind"] == kind]
                ax.plot(
                    points["step"],
                    points["value"],
                    marker + "-",
                    color=colour,
                    markersize=4,
                    linewidth=1.4,
                    label=kind.replace("_", " "),
                )
            ax.set_title(captioner, loc="left", fontsize=9, fontweight="bold")
            ax.set_xlabel("step", fontsize=8)
            ax.set_ylim(bottom=0)
        axes[0].legend(frameon=False, fontsize=8)
        return _save_svg(figure)


def draw_scatters(scatters: Sequence[Scatter], y_label: str) -> bytes:
    """Draw the scatters beside one another with one y axis: fine-tuned filled, pre-trained hollow, others diamonds."""
    with matplotlib.rc_context(STYLE):
        rows = -(-len(scatters) // COLUMNS)
        figure = Figure(figsize=(7, 2.5 * rows + 0.2), layout="constrained")
        axes = figure.subplots(rows, min(COLUMNS, len(scatters)), sharey=True, squeeze=False)
        for ax in axes.flat[len(scatters) :]:
            ax.set_visible(False)
        for number, (scatter, ax) in enumerate(zip(scatters, axes.flat, strict=False)):
            _draw_scatter(ax, scatter)
            if number % COLUMNS == 0:
                ax.set_ylabel(y_label, fontsize=8)
        return _save_svg(figure)


def _draw_scatter(ax: Axes, scatter: Scatter) -> None:
    for label, level in scatter.levels.items():
        ax.axhline(level, color=GREY, linewidth=0.8, linestyle=":")
        ax.annotate(label, (1, level), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=6)
    for captioner in dict.fromkeys(point.captioner for point in scatter.points if point.captioner):
        own = [point for point in scatter.points if point.captioner == captioner]
        ax.plot([point.score for point in own], [point.ndcg for point in own], color=BLUE, linewidth=0.8, alpha=0.6)
    for score, ndcg, _, variant in scatter.points:
        marker, fill = ("o", BLUE if variant == "ft" else "white") if variant else ("D", ORANGE)
        ax.plot([score], [ndcg], marker, color=BLUE if variant else ORANGE, markersize=5, markerfacecolor=fill)
    ax.set_title(scatter.title, loc="left", fontsize=9, fontweight="bold")
    ax.set_ylim(bottom=0)


def _save_svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
