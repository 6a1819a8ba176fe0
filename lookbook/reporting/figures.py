"""The report's figures as SVG: differences with their intervals, learning curves.

The same results give the same bytes.
"""

from collections.abc import Callable, Sequence

import pandas as pd

from lookbook.reporting.drawing import Interval, Panel, draw_intervals, draw_learning_curves
from lookbook.reporting.formatting import Values, mark, name_of

CAPTION_PANELS = {
    "bleu_4": "BLEU-4",
    "cider": "CIDEr × 100",
    "attribute_precision": "MAP",
    "core_precision": "Core precision",
}


def draw_figures(comparison: Values, curves: dict[str, pd.DataFrame]) -> dict[str, bytes]:
    """Draw the study's figures; a figure without content is left out.

    Args:
        comparison: metrics/comparison.json.
        curves: The learning curve of each captioner.

    Returns:
        SVG by name.
    """
    measure = f"NDCG@{comparison.get('cutoff')}"
    masked = [row for row in comparison["masked"] if row["confirmatory"]]
    catalogues = [row for row in comparison["catalogues"] if not row["same_by_construction"]]
    panels = {
        "masked": [_build_panel(f"{measure} on the masked garments", "difference", masked, _label_arms)],
        "captions": _list_caption_panels(comparison["captions"]),
        "catalogues": [_build_panel(f"{measure} by catalogue", "difference", catalogues, _label_arms)],
    }
    figures = {
        name: draw_intervals(members) for name, members in panels.items() if any(panel.intervals for panel in members)
    }
    return figures | ({"curves": draw_learning_curves(curves)} if curves else {})


def _list_caption_panels(rows: Sequence[Values]) -> list[Panel]:
    """Return a panel per metric of captions, in percent points."""
    panels = []
    for metric, title in CAPTION_PANELS.items():
        members = [row for row in rows if row["metric"] == metric]
        if members:
            unit = "percent points" if metric != "cider" else ""
            title = f"{title}, fine-tuned − pre-trained"
            panels.append(_build_panel(title, unit, members, lambda row: row["captioner"], 100))
    return panels


def _build_panel(
    title: str, unit: str, rows: Sequence[Values], label: Callable[[Values], str], scale: float = 1
) -> Panel:
    intervals = [
        Interval(label(row), scale * row["difference"], scale * row["low"], scale * row["high"], bool(mark(row)))
        for row in rows
    ]
    return Panel(title, unit, intervals)


def _label_arms(row: Values) -> str:
    return f"{name_of(row['recommender'])}: {row['a']} − {row['b']}"
