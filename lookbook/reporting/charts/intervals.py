"""Differences with their intervals as figures."""

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd

from lookbook.reporting.charts import Chart
from lookbook.reporting.charts.drawing import Interval, Panel, draw_intervals
from lookbook.reporting.formatting import Values, is_known, mark


def build_interval(label: str, row: Values, scale: float = 1, significant: bool | None = None) -> Interval:
    """Return a comparison as an interval; claimed as the comparison says, unless `significant` says otherwise.

    Where the comparison has no `claimed`, its corrected p decides.

    >>> row = {"difference": 0.2, "low": -0.1, "high": 0.5, "p_holm": 0.04}
    >>> build_interval("a", row).significant, build_interval("a", row | {"claimed": False}).significant
    (True, False)
    """
    if significant is None:
        significant = bool(mark(row)) if row.get("claimed") is None else row["claimed"]
    return Interval(label, scale * row["difference"], scale * row["low"], scale * row["high"], significant)


def chart_intervals(name: str, words: str, panels: Sequence[Panel]) -> Chart | None:
    """Return a figure of intervals; None without any."""
    panels = [panel for panel in panels if panel.intervals]
    if not panels:
        return None
    rows = [{"panel": panel.title} | interval._asdict() for panel in panels for interval in panel.intervals]
    return Chart(name, words, pd.DataFrame(rows), partial(draw_intervals, panels))


def build_panel(
    title: str,
    unit: str,
    rows: Sequence[Values],
    label: Callable[[Values], str],
    ends: tuple[str, str] = ("the second is better", "the first is better"),
) -> Panel:
    """Return comparisons as a panel, without those of which nothing is known: their intervals would hide the others."""
    return Panel(title, unit, [build_interval(label(row), row) for row in rows if is_known(row)], ends)
