"""The report's figures as SVG: differences with their intervals, caption scores against NDCG, learning curves.

The same results give the same bytes.
"""

from collections.abc import Callable, Sequence
from functools import partial

import pandas as pd

from lookbook.reporting.answer import name_measure
from lookbook.reporting.drawing import (
    Interval,
    Panel,
    Point,
    Scatter,
    draw_intervals,
    draw_learning_curves,
    draw_scatters,
)
from lookbook.reporting.formatting import CAPTION_COLUMNS, Values, mark, name_of
from lookbook.reporting.ranked import PICTURES, Ranked, find_metric
from lookbook.reporting.sources import shorten_source, sort_sources, split_source

CAPTION_PANELS = {
    "bleu_4": "BLEU-4",
    "cider": "CIDEr × 100",
    "attribute_precision": "MAP",
    "core_precision": "Core precision",
}


QUALITY_PANELS = ("cider", "bleu_4", "attribute_precision", "attribute_recall", "core_precision", "similarity")


def draw_figures(comparison: Values, curves: dict[str, pd.DataFrame]) -> dict[str, bytes]:
    """Draw the study's figures; a figure without content is left out.

    Args:
        comparison: metrics/comparison.json.
        curves: The learning curve of each captioner.

    Returns:
        SVG by name.
    """
    measure = f"NDCG@{comparison.get('cutoff')}"
    masked = [row for row in comparison["masked"] if row["metric"].startswith("ndcg_masked")]
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
    intervals = [_build_interval(label(row), row, scale, bool(row.get("claimed") or mark(row))) for row in rows]
    return Panel(title, unit, intervals)


def _build_interval(label: str, row: Values, scale: float = 1, significant: bool = False) -> Interval:
    return Interval(label, scale * row["difference"], scale * row["low"], scale * row["high"], significant)


def _label_arms(row: Values) -> str:
    return f"{name_of(row['recommender'])}: {row['a']} − {row['b']}"


def draw_arrivals(ranked: Ranked, recommender: str, captions: Values) -> dict[str, bytes]:
    """Draw what is tested among the arrivals, and caption scores against NDCG; a figure without content is left out.

    Args:
        ranked: The results of the arrivals.
        recommender: That of the primary comparison, with its features.
        captions: metrics/captions.json.
    """
    metric = find_metric(ranked.metrics[recommender])
    measure = f"{name_measure(metric)} among the arrivals"
    pt = f"{ranked.writer}-pt"
    sources = sort_sources(source for source in ranked.metrics[recommender]["sources"] if source not in (pt, PICTURES))
    others = [(source, row) for source in sources if (row := ranked.find_row(recommender, source, pt))]
    short = partial(shorten_source, writer=ranked.writer)
    unit = f"difference of {measure}"
    compared = [_build_interval(short(source), row) for source, row in others]
    panels = [
        _build_panel("Tested", unit, ranked.list_tested(), lambda row: f"{short(row['a'])} − {short(row['b'])}"),
        Panel("Each source minus PT", unit, compared),
    ]
    panels = [panel for panel in panels if panel.intervals]
    figures = {"arrivals": draw_intervals(panels)} if panels else {}
    scatters = _list_scatters(ranked, recommender, captions)
    return figures | ({"quality": draw_scatters(scatters, measure)} if scatters else {})


def _list_scatters(ranked: Ranked, recommender: str, captions: Values) -> list[Scatter]:
    """Return a scatter per caption score that two sources have."""
    figures = ranked.metrics[recommender]["sources"]
    metric = find_metric(ranked.metrics[recommender])
    names = {"reference": "own words", "none": "no words"}
    levels = {label: figures[source][metric] for source, label in names.items() if source in figures}
    best = ranked.find_best()
    levels |= {"best without captions": best["mean_b"]} if best else {}
    scatters = []
    for score in QUALITY_PANELS:
        points = [
            Point(value, figures[source][metric], captioner, variant)
            for source in figures
            for captioner, variant, value in _find_score(source, score, figures[source], captions)
        ]
        if len(points) > 1:
            scatters.append(Scatter(CAPTION_COLUMNS.get(score, "Similarity"), points, levels))
    return scatters


def _find_score(source: str, score: str, figures: Values, captions: Values) -> list[tuple[str, str, float]]:
    """Return (captioner, variant, value) of a source of captions; empty where it is none or has no such score."""
    variant, captioner = split_source(source)
    if variant not in ("ft", "pt") and source != "second":
        return []
    captioner, variant = (captioner, variant) if captioner else ("", "")
    scores = captions.get(captioner, {}).get(variant, {}) if captioner else captions.get("ceiling", {})
    value = figures.get(score, scores.get(score))
    return [] if value is None else [(captioner, variant, value)]
