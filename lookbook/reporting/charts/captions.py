"""Figures of captions: slopes from pre-trained to fine-tuned, precision against recall, differences, confusions."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import pandas as pd

from lookbook.reporting.charts import Chart
from lookbook.reporting.charts.drawing import Panel, Plane, Slope, draw_matrix, draw_plane, draw_slopes
from lookbook.reporting.charts.intervals import build_interval, chart_intervals
from lookbook.reporting.formatting import CAPTION_COLUMNS, Values
from lookbook.reporting.results import Results

CAPTION_PANELS = {
    "bleu_4": "BLEU-4",
    "cider": "CIDEr × 100",
    "attribute_precision": "MAP",
    "core_precision": "Core precision",
}
SLOPE_PANELS = ("bleu_4", "cider", "spice", "attribute_precision", "attribute_recall", "core_precision", "accuracy")
MOST_SLOPES = 6


def draw_captions(results: Results) -> Iterator[Chart | None]:
    """Yield the figures of captions."""
    if not results.captioners:
        return
    yield _chart_slopes(results.captions, results.captioners)
    yield _chart_plane(results.captions, results.captioners)
    words = (
        "Fine-tuned minus pre-trained captions, 95 % intervals; a blue filled circle where the score is confirmatory "
        "and its Holm-corrected p below 0.05, a hollow grey square elsewhere."
    )
    yield chart_intervals("captions", words, _list_caption_panels(results.comparison["captions"]))
    if not results.confusions.empty:
        yield from _chart_confusion(results.confusions, results.captioners)


def _list_caption_panels(rows: Sequence[Values]) -> list[Panel]:
    """Return a panel per metric of captions, in percent points."""
    panels = []
    for metric, title in CAPTION_PANELS.items():
        members = [build_interval(row["captioner"], row, 100) for row in rows if row["metric"] == metric]
        unit = "percent points" if metric != "cider" else ""
        ends = ("pre-trained is better", "fine-tuned is better")
        panels.append(Panel(f"{title}, fine-tuned − pre-trained", unit, members, ends))
    return panels


def _chart_slopes(metrics: Values, captioners: Sequence[str]) -> Chart | None:
    slopes = []
    for metric in SLOPE_PANELS:
        values = {
            name: (metrics[name]["pt"][metric], metrics[name]["ft"][metric])
            for name in captioners
            if all(metric in metrics[name].get(variant, {}) for variant in ("pt", "ft"))
        }
        levels = {"ceiling": metrics["ceiling"][metric]} if metric in metrics.get("ceiling", {}) else {}
        if values:
            slopes.append(Slope(CAPTION_COLUMNS[metric], values, levels))
    slopes = slopes[:MOST_SLOPES]
    rows = [
        {"panel": slope.title, "captioner": name, "pt": pt, "ft": ft}
        for slope in slopes
        for name, (pt, ft) in slope.values.items()
    ]
    rows += [
        {"panel": slope.title, "level": name, "value": value}
        for slope in slopes
        for name, value in slope.levels.items()
    ]
    words = (
        "Caption scores before and after fine-tuning, as fractions (CIDEr up to 10); a colour and marker for each "
        "captioner."
    )
    if any(slope.levels for slope in slopes):
        words += " Dotted: a second true description of the same garment."
    return Chart("slope", words, pd.DataFrame(rows), partial(draw_slopes, slopes)) if slopes else None


def _chart_plane(metrics: Values, captioners: Sequence[str]) -> Chart | None:
    keys = ("attribute_recall", "attribute_precision")

    def place(values: Values) -> tuple[float, float] | None:
        return (values[keys[0]], values[keys[1]]) if all(key in values for key in keys) else None

    arrows = [
        Plane(name, pt, ft)
        for name in captioners
        if (pt := place(metrics[name].get("pt", {}))) and (ft := place(metrics[name].get("ft", {})))
    ]
    floor = place(metrics[captioners[0]].get("floor", {}))
    ceiling = place(metrics.get("ceiling", {}))
    fixed = {"floor: captions of other garments": floor, "ceiling: second true description": ceiling}
    known: Mapping[str, tuple[float, float]] = {name: found for name, found in fixed.items() if found}
    rows = [
        {"captioner": arrow.captioner, "variant": variant, "recall": recall, "precision": precision}
        for arrow in arrows
        for variant, (recall, precision) in (("pt", arrow.pt), ("ft", arrow.ft))
    ]
    rows += [
        {"captioner": "", "variant": name.partition(":")[0], "recall": r, "precision": p}
        for name, (r, p) in known.items()
    ]
    words = (
        "Precision against recall of the attributes that captions name: an arrow from pre-trained (hollow) to "
        "fine-tuned (filled) for each captioner. Dotted: lines of equal F1."
    )
    return Chart("attributes", words, pd.DataFrame(rows), partial(draw_plane, arrows, known)) if arrows else None


def _chart_confusion(confusions: pd.DataFrame, captioners: Sequence[str]) -> Iterator[Chart]:
    for name in captioners[:1]:
        rows = confusions[confusions["captioner"].eq(name) & confusions["variant"].eq("ft")]
        if rows.empty:
            return
        counts = rows.pivot_table(
            index="true_category",
            columns="predicted_category",
            values="items",
            aggfunc="sum",
            fill_value=0,
            observed=True,
        )
        shares = counts.div(counts.sum(axis=1), axis=0)
        words = (
            f"Categories that a classifier reads from fine-tuned captions by {name}, in percent of the garments of "
            "each true category."
        )
        frame = shares.reset_index().melt("true_category", var_name="predicted_category", value_name="share")
        draw = partial(draw_matrix, shares, "true category", "category read from the caption")
        yield Chart("confusion", words, frame, draw)
