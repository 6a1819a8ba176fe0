"""The report's figures, as SVG bytes that are the same for the same figures: intervals, learning curves."""

import io
from collections.abc import Sequence
from typing import Any, NamedTuple

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, GREY, BLUE, ORANGE = "#1a1a1a", "#8a8a8a", "#1f5fa8", "#b8550f"
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


class Bar(NamedTuple):
    """A difference with its interval, in the unit of the axis; `clear` where its corrected p is below 0.05."""

    label: str
    difference: float
    low: float
    high: float
    clear: bool


class Panel(NamedTuple):
    """One axis of an interval plot, with a unit of its own."""

    title: str
    unit: str
    bars: Sequence[Bar]


def interval_plot(panels: Sequence[Panel]) -> bytes:
    """Panels below one another, a row per bar, zero marked."""
    with matplotlib.rc_context(STYLE):
        heights = [len(panel.bars) + 1.6 for panel in panels]
        figure = Figure(figsize=(7, 0.26 * sum(heights) + 0.3), layout="constrained")
        axes = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
        for panel, ax in zip(panels, axes, strict=True):
            _draw_panel(ax, panel)
        return _svg(figure)


def _draw_panel(ax: Axes, panel: Panel) -> None:
    ax.axvline(0, color=GREY, linewidth=1)
    for place, bar in enumerate(panel.bars):
        colour = BLUE if bar.clear else GREY
        ax.plot([bar.low, bar.high], [place, place], color=colour, linewidth=1.6, solid_capstyle="butt")
        ax.plot(
            [bar.difference], [place], "o", color=colour, markersize=5, markerfacecolor=colour if bar.clear else "white"
        )
    ax.set_yticks(range(len(panel.bars)), [bar.label for bar in panel.bars])
    ax.set_ylim(len(panel.bars) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.set_title(panel.title, loc="left", fontsize=10, fontweight="bold")
    ax.set_xlabel(panel.unit, fontsize=8)


def learning_curves(curves: dict[str, pd.DataFrame]) -> bytes:
    """Training and validation loss by step, a panel per captioner."""
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
        return _svg(figure)


def _svg(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
