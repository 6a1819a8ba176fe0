"""Drawings: intervals, scatters, slopes, arrows, grids, bars and learning curves, at any width."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lookbook.reporting.charts.style import BLUE, GREY, INK, NARROW, ORANGE, PAPER, POINTS, SKY, label, series

ENDS = -18  # points from the x axis to the words at its ends, below the ticks
ROW = 0.19  # inches of a row of intervals
LINE = 1.35 * (POINTS - 2) / 72  # inches of a line of small text
ISO_F1 = (0.2, 0.4, 0.6, 0.8)
STACKED = (BLUE, SKY, "#d0d0d0", GREY, ORANGE)  # parts of a bar, from one end to the other


class Interval(NamedTuple):
    """A difference with its interval, in the unit of the axis.

    Attributes:
        significant: Whether it is claimed.
        detectable: The smallest true difference that its test finds in four of five studies; None: not drawn.
    """

    label: str
    difference: float
    low: float
    high: float
    significant: bool
    detectable: float | None = None


class Panel(NamedTuple):
    """One axis of an interval plot, with a unit of its own.

    Attributes:
        ends: What a difference to the left and to the right means; "" where no words are needed.
    """

    title: str
    unit: str
    intervals: Sequence[Interval]
    ends: tuple[str, str] = ("", "")


class Point(NamedTuple):
    """A source of captions: its score and its NDCG with interval; a line joins the points of a captioner."""

    score: float
    ndcg: float
    captioner: str  # "" where no captioner wrote it
    variant: str  # ft, pt; "" where no captioner wrote it
    low: float | None = None
    high: float | None = None


class Scatter(NamedTuple):
    """A caption score against NDCG; `levels` are NDCG values that no caption was needed for, by name."""

    title: str
    points: Sequence[Point]
    levels: dict[str, float]


class Slope(NamedTuple):
    """A score of pre-trained and fine-tuned captions by captioner, with floor and ceiling where there are such."""

    title: str
    values: Mapping[str, tuple[float, float]]  # captioner -> PT, FT
    levels: Mapping[str, float]


def draw_intervals(panels: Sequence[Panel], width: float) -> Figure:
    """Draw the panels below one another, a row per interval, with a line at zero."""
    is_narrow = width < NARROW
    row = ROW * (1.7 if is_narrow else 1)
    heights = [len(panel.intervals) * row + (0.74 if panel.ends[0] else 0.62) for panel in panels]
    figure = Figure(figsize=(width, sum(heights)), layout="constrained")
    axes = figure.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
    for panel, ax in zip(panels, axes, strict=True):
        _draw_panel(ax, panel, is_narrow)
    return figure


def _draw_panel(ax: Axes, panel: Panel, is_narrow: bool) -> None:
    ax.axvline(0, color=GREY, linewidth=1)
    for number, interval in enumerate(panel.intervals):
        if interval.detectable:
            band = 2 * interval.detectable, 1, -interval.detectable  # width, height, left
            ax.barh(number, *band, color=GREY, alpha=0.15, linewidth=0)
        colour, marker = (BLUE, "o") if interval.significant else (GREY, "s")
        ax.plot([interval.low, interval.high], [number, number], color=colour, linewidth=1.6, solid_capstyle="butt")
        fill = colour if interval.significant else PAPER
        ax.plot([interval.difference], [number], marker, color=colour, markersize=4.5, markerfacecolor=fill)
        if is_narrow:
            place = ax.get_yaxis_transform()
            ax.text(0, number - 0.28, label(interval.label), transform=place, va="bottom", fontsize=POINTS - 1.5)
    labels = [] if is_narrow else [label(interval.label) for interval in panel.intervals]
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(panel.intervals) - 0.4, -1 if is_narrow else -0.6)
    ax.tick_params(axis="y", length=0)
    ax.set_title(label(panel.title))
    _name_ends(ax, panel.ends)
    ax.set_xlabel(("\n" if panel.ends[0] else "") + panel.unit)
    ax.locator_params(axis="x", nbins=5 if is_narrow else 9)


def _name_ends(ax: Axes, ends: tuple[str, str]) -> None:
    """Say below both ends of the x axis what a difference towards them means."""
    left, right = (label(end) for end in ends)
    for place, side, text in ((0, "left", f"← {left}"), (1, "right", f"{right} →")):
        if left:
            below = (place, 0), (0, ENDS), "axes fraction", "offset points"
            ax.annotate(text, *below, ha=side, va="top", fontsize=POINTS - 1)


def _grid(n: int, width: float, height: float, share_y: bool = False) -> tuple[Figure, list[Axes]]:
    """Return a figure with so many axes in rows of three, or of two where it is narrow; those left over are hidden."""
    columns = min(n, 2 if width < NARROW else 3)
    rows = -(-n // columns)
    figure = Figure(figsize=(width, height * rows), layout="constrained")
    axes = list(figure.subplots(rows, columns, sharey=share_y, squeeze=False).flat)
    for ax in axes[n:]:
        ax.set_visible(False)
    return figure, axes[:n]


def draw_learning_curves(curves: Mapping[str, pd.DataFrame], width: float) -> Figure:
    """Draw training and validation loss by optimiser step, a panel per captioner.

    Args:
        curves: For each captioner its curve: step, kind, value.
        width: In inches.
    """
    figure, axes = _grid(len(curves), width, 1.9)
    for (captioner, curve), ax in zip(curves.items(), axes, strict=True):
        for kind, colour, marker in (("loss", ORANGE, ""), ("validation_loss", BLUE, "o")):
            points = curve[curve["kind"] == kind]
            name = kind.replace("_", " ")
            ax.plot(points["step"], points["value"], marker + "-", color=colour, markersize=3.5, label=name)
        ax.set_title(label(captioner))
        ax.set_xlabel("step")
        ax.set_ylim(bottom=0)
    axes[0].legend()
    return figure


def draw_scatters(scatters: Sequence[Scatter], y_label: str, width: float) -> Figure:
    """Draw the scatters beside one another with one y axis: fine-tuned filled, pre-trained hollow, others diamonds."""
    figure, axes = _grid(len(scatters), width, 2.0, share_y=True)
    names = list(dict.fromkeys(point.captioner for scatter in scatters for point in scatter.points if point.captioner))
    for number, (scatter, ax) in enumerate(zip(scatters, axes, strict=True)):
        _draw_scatter(ax, scatter, names)
        if number % (2 if width < NARROW else 3) == 0:
            ax.set_ylabel(y_label)
    handles = [
        axes[0].plot([], [], marker, color=colour, label=label(name))[0]
        for name, (colour, marker) in zip(names, map(series, range(len(names))), strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=1 if width < NARROW else 3)
    figure.draw_without_rendering()  # else the height of the axes is not known
    for scatter, ax in zip(scatters, axes, strict=True):
        _name_levels(ax, scatter.levels)
    return figure


def _name_levels(ax: Axes, levels: Mapping[str, float]) -> None:
    """Write the name of each level at its line, with no name over another.

    Args:
        ax: The axes, at their final size and limits.
        levels: NDCG by name.
    """
    bottom, top = ax.get_ylim()
    inches = ax.get_window_extent().height / ax.figure.dpi
    places = place_labels(list(levels.values()), LINE * (top - bottom) / inches)
    for name, place in zip(levels, places, strict=True):
        ax.annotate(
            label(name), (0.02, place), xycoords=("axes fraction", "data"), ha="left", va="bottom", fontsize=POINTS - 2
        )


def place_labels(levels: Sequence[float], height: float) -> list[float]:
    """Return the lower edge of each level's label: at the level, or below it where a higher level leaves no room.

    >>> place_labels([20, 176, 171], 10)
    [20, 176, 161]

    Args:
        levels: In the unit of the axis.
        height: Of a label, in that unit.
    """
    places = [0.0] * len(levels)
    free = float("inf")  # no line or label lies below
    for number in sorted(range(len(levels)), key=lambda number: -levels[number]):
        level = levels[number]
        places[number] = level if level + height <= free else min(level, free) - height
        free = min(level, places[number])
    return places


def _draw_scatter(ax: Axes, scatter: Scatter, names: Sequence[str]) -> None:
    for level in scatter.levels.values():
        ax.axhline(level, color=GREY, linewidth=0.8, linestyle=":")
    for number, captioner in enumerate(names):
        own = [point for point in scatter.points if point.captioner == captioner]
        ax.plot([point.score for point in own], [point.ndcg for point in own], color=series(number)[0], linewidth=0.8)
    for point in scatter.points:
        colour, marker = series(names.index(point.captioner)) if point.variant else (INK, "D")
        fill = colour if point.variant != "pt" else PAPER
        if point.low is not None and point.high is not None:
            ax.plot([point.score] * 2, [point.low, point.high], color=colour, linewidth=0.8)
        ax.plot([point.score], [point.ndcg], marker, color=colour, markersize=4.5, markerfacecolor=fill)
    ax.set_title(label(scatter.title))
    ax.set_ylim(bottom=0)


def draw_slopes(slopes: Sequence[Slope], width: float) -> Figure:
    """Draw a panel per score: a line per captioner from its pre-trained to its fine-tuned captions."""
    figure, axes = _grid(len(slopes), width, 1.75)
    names = list(dict.fromkeys(name for slope in slopes for name in slope.values))
    for slope, ax in zip(slopes, axes, strict=True):
        for name, values in slope.values.items():
            colour, marker = series(names.index(name))
            ax.plot([0, 1], values, "-", color=colour)
            for place, fill in ((0, PAPER), (1, colour)):
                ax.plot([place], [values[place]], marker, color=colour, markerfacecolor=fill, clip_on=False)
        for name, level in slope.levels.items():
            ax.axhline(level, color=GREY, linewidth=0.8, linestyle=":")
            ax.annotate(
                name, (0.5, level), xycoords=("axes fraction", "data"), ha="center", va="bottom", fontsize=POINTS - 2
            )
        ax.set_xticks([0, 1], ["PT", "FT"])
        ax.set_xlim(-0.2, 1.2)
        ax.set_ylim(bottom=0)
        ax.set_title(label(slope.title))
    handles = [
        axes[0].plot([], [], marker + "-", color=colour, label=label(name))[0]
        for name, (colour, marker) in zip(names, map(series, range(len(names))), strict=True)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=1 if width < NARROW else 3)
    return figure


class Plane(NamedTuple):
    """Precision and recall of a captioner's captions, pre-trained and fine-tuned; fractions."""

    captioner: str
    pt: tuple[float, float]  # recall, precision
    ft: tuple[float, float]


def draw_plane(arrows: Sequence[Plane], fixed: Mapping[str, tuple[float, float]], width: float) -> Figure:
    """Draw precision against recall, an arrow from PT to FT for each captioner, and lines of equal F1.

    Args:
        arrows: The captioners.
        fixed: Floor and ceiling by name: recall, precision.
        width: In inches.
    """
    figure = Figure(figsize=(min(width, 4.6), min(width, 4.6) * 0.86), layout="constrained")
    ax = figure.subplots()
    recall = np.linspace(0.01, 1, 200)
    for f1 in ISO_F1:
        line = f1 * recall / (2 * recall - f1)
        shown = (2 * recall > f1) & (line <= 1)
        ax.plot(recall[shown], line[shown], color=GREY, linewidth=0.6, linestyle=":")
        ax.annotate(f"F1 {f1}", (1.0, f1 / (2 - f1)), ha="right", va="bottom", fontsize=POINTS - 2, color=GREY)
    for number, (name, pt, ft) in enumerate(arrows):
        colour, marker = series(number)
        ax.annotate("", ft, pt, arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1, "shrinkA": 3})
        ax.plot(*pt, marker, color=colour, markerfacecolor=PAPER)
        ax.plot(*ft, marker, color=colour, label=label(name))
    for number, (name, place) in enumerate(fixed.items()):
        ax.plot(*place, "x" if number else "+", color=INK, label=label(name))
    ax.set(xlim=(0, 1.02), ylim=(0, 1.02), xlabel="recall of attributes", ylabel="precision of attributes")
    ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=1 if width < NARROW else 2)
    return figure


def draw_matrix(table: pd.DataFrame, row_label: str, column_label: str, width: float) -> Figure:
    """Draw shares as a grid with their percent written in; rows and columns by name.

    Args:
        table: Fractions.
        row_label: What the rows are.
        column_label: What the columns are.
        width: In inches.
    """
    figure = Figure(figsize=(width, 0.75 * width), layout="constrained")
    ax = figure.subplots()
    ax.pcolormesh(table.to_numpy(), cmap="Blues", vmin=0, vmax=1, edgecolor=PAPER, linewidth=0.3)
    size = max(3.0, min(POINTS - 2, 60 * width / 6.9 / max(1, len(table.columns)) / 1.2))
    for (row, column), share in np.ndenumerate(table.to_numpy()):
        if share >= 0.005:
            colour = "#ffffff" if share > 0.55 else "#000000"
            where = (column + 0.5, row + 0.5)
            ax.text(*where, f"{100 * share:.0f}", ha="center", va="center", fontsize=size, color=colour)
    ax.set_yticks(np.arange(len(table)) + 0.5, [label(name) for name in table.index])
    ax.set_xticks(np.arange(len(table.columns)) + 0.5, [label(name) for name in table.columns], rotation=90)
    ax.tick_params(length=0, labelsize=max(size, 5))
    ax.invert_yaxis()
    ax.set(xlabel=column_label, ylabel=row_label)
    return figure


def draw_frontier(points: pd.DataFrame, x: str, y: str, labels: tuple[str, str], width: float) -> Figure:
    """Draw two figures of each recommender against one another, and its name beside its point.

    Args:
        points: Columns `recommender`, `x` and `y`.
        x: The column of the x axis.
        y: The column of the y axis.
        labels: What the axes are called.
        width: In inches.
    """
    figure = Figure(figsize=(width, 0.62 * width if width > NARROW else 0.9 * width), layout="constrained")
    ax = figure.subplots()
    for number, row in enumerate(points.to_dict("records")):
        colour, marker = series(number)
        ax.plot([row[x]], [row[y]], marker, color=colour)
        ax.annotate(
            label(row["recommender"]), (row[x], row[y]), (4, 3), textcoords="offset points", fontsize=POINTS - 2
        )
    ax.margins(0.12)
    ax.set(xlabel=labels[0], ylabel=labels[1])
    return figure


def draw_stacks(stacks: Mapping[str, Mapping[str, float]], unit: str, width: float) -> Figure:
    """Draw a bar for each name, made of parts; a part of 5 % and more has its percent written in.

    Args:
        stacks: Name of the bar -> name of the part -> its share; every bar has the same parts.
        unit: What the axis is called.
        width: In inches.
    """
    figure = Figure(figsize=(width, ROW * 2.2 * len(stacks) + 0.95), layout="constrained")
    ax = figure.subplots()
    left = np.zeros(len(stacks))
    for colour, part in zip(STACKED, next(iter(stacks.values())), strict=False):
        shares = np.array([100 * parts[part] for parts in stacks.values()])
        ax.barh(range(len(stacks)), shares, left=left, height=0.55, color=colour, label=label(part), edgecolor=PAPER)
        for number, share in enumerate(shares):
            if share >= 5:
                ink = PAPER if colour == BLUE else "#000000"
                ax.text(left[number] + share / 2, number, f"{share:.0f}", ha="center", va="center", color=ink)
        left += shares
    _name_bars(ax, list(stacks), width < NARROW)
    ax.set(xlim=(0, 100), xlabel=unit)
    figure.legend(loc="outside lower center", ncols=2 if width < NARROW else 5)
    return figure


def _name_bars(ax: Axes, names: Sequence[str], is_narrow: bool) -> None:
    """Write the names of bars beside them, or above them where the figure is narrow."""
    for number, name in enumerate(names if is_narrow else []):
        ax.text(0, number - 0.3, label(name), va="bottom", fontsize=POINTS - 1.5)
    ax.set_yticks(range(len(names)), ["" if is_narrow else label(name) for name in names])
    ax.set_ylim(len(names) - 0.5, -0.9 if is_narrow else -0.5)
    ax.tick_params(axis="y", length=0)


def draw_bins(
    lines: Mapping[str, Sequence[float]], bins: Sequence[str], labels: tuple[str, str], width: float
) -> Figure:
    """Draw a line for each name over bins at equal distances; NaN is a gap.

    Args:
        lines: Name -> its value in each bin.
        bins: Their names.
        labels: What the axes are called.
        width: In inches.
    """
    figure = Figure(figsize=(width, 0.5 * width if width > NARROW else 0.85 * width), layout="constrained")
    ax = figure.subplots()
    for number, (name, values) in enumerate(lines.items()):
        colour, marker = series(number)
        ax.plot(range(len(bins)), values, f"{marker}-", color=colour, label=label(name))
    ax.set_xticks(range(len(bins)), bins)
    ax.set(xlabel=labels[0], ylabel=labels[1])
    ax.set_ylim(bottom=0)
    figure.legend(loc="outside lower center", ncols=2 if width < NARROW else 4)
    return figure


def draw_bars(values: Mapping[str, float], unit: str, width: float) -> Figure:
    """Draw a bar for each value, with the value at its end."""
    figure = Figure(figsize=(width, ROW * 1.3 * len(values) + 0.6), layout="constrained")
    ax = figure.subplots()
    ax.barh([label(name) for name in values], list(values.values()), color=BLUE, height=0.6)
    for number, value in enumerate(values.values()):
        ax.annotate(
            f"{value:,.3g}", (value, number), (3, 0), textcoords="offset points", va="center", fontsize=POINTS - 1
        )
    ax.invert_yaxis()
    ax.tick_params(axis="y", length=0)
    ax.margins(x=0.15)
    ax.set_xlabel(unit)
    return figure
