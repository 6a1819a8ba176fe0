"""Figures of the arrivals: what is tested, and caption quality against NDCG."""

from collections.abc import Iterator, Sequence
from functools import partial

import pandas as pd

from lookbook.reporting.answer import name_measure
from lookbook.reporting.charts import Chart
from lookbook.reporting.charts.drawing import Panel, Point, Scatter, draw_scatters
from lookbook.reporting.charts.intervals import build_interval, chart_intervals
from lookbook.reporting.formatting import CAPTION_COLUMNS, Values, name_of
from lookbook.reporting.ranked import PICTURES, Ranked, find_metric
from lookbook.reporting.results import Results
from lookbook.reporting.settings import ReportedStudy
from lookbook.reporting.sources import shorten_source, sort_sources, split_source

QUALITY_PANELS = ("cider", "bleu_4", "attribute_precision", "attribute_recall", "core_precision", "similarity")


def draw_arrivals(study: ReportedStudy, results: Results) -> Iterator[Chart | None]:
    """Yield the figures of the arrivals."""
    ranked = results.ranked
    if ranked is None:
        return
    panels = list_arrival_panels(ranked, study.primary.name)
    words = (
        "Differences of NDCG among the new arrivals, 95 % intervals; a blue filled circle where a difference is "
        "claimed, a hollow grey square elsewhere. Grey band: true differences that the test of this row finds in fewer "
        "than four of five such studies."
    )
    yield chart_intervals("arrivals", words, panels)
    scatters = list_scatters(ranked, study.primary.name, results.captions, results.comparison["prediction"])
    if scatters:
        measure = f"{name_measure(find_metric(ranked.metrics[study.primary.name]))} among the arrivals"
        words = (
            "A caption score against NDCG among the new arrivals. Filled: a fine-tuned captioner; hollow: the same "
            "captioner pre-trained."
        )
        if "second" in ranked.metrics[study.primary.name]["sources"]:
            words += " A diamond: a second true description."
        words += " Dotted: what needs no caption."
        yield Chart("quality", words, frame_scatters(scatters), partial(draw_scatters, scatters, measure))


def list_arrival_panels(ranked: Ranked, recommender: str) -> list[Panel]:
    """Return what is tested among the arrivals, and every other source against the writer's pre-trained captions."""
    metric = find_metric(ranked.metrics[recommender])
    unit = f"difference of {name_measure(metric)} among the arrivals"
    pt = f"{ranked.writer}-pt"
    short = partial(shorten_source, writer=ranked.writer)
    sources = sort_sources(source for source in ranked.metrics[recommender]["sources"] if source not in (pt, PICTURES))
    tested = ranked.list_tested()
    pairs = [{row["a"], row["b"]} for row in tested]
    sources = [source for source in sources if {source, pt} not in pairs]
    others = [(source, row) for source in sources if (row := ranked.find_row(recommender, source, pt))]
    panels = [
        Panel(
            f"Tested: {name_of(recommender)}",
            unit,
            [
                build_interval(f"{short(row['a'])} − {short(row['b'])}", row)._replace(detectable=row.get("detectable"))
                for row in tested
            ],
            ("the second is better", "the first is better"),
        ),
        Panel(
            "Other sources of words minus PT, not tested",
            unit,
            [build_interval(short(source), row, 1, False) for source, row in others],
            ("pre-trained is better", "the source is better"),
        ),
    ]
    return [panel for panel in panels if panel.intervals]


def list_scatters(ranked: Ranked, recommender: str, captions: Values, prediction: Sequence[Values]) -> list[Scatter]:
    """Return a scatter per caption score that two sources have.

    Args:
        ranked: The results of the arrivals.
        recommender: That of the primary comparison, with its features.
        captions: metrics/captions.json.
        prediction: The table `prediction` of the comparisons, which has the intervals of the points.
    """
    figures = ranked.metrics[recommender]["sources"]
    metric = find_metric(ranked.metrics[recommender])
    names = {"reference": "own words", "none": "no words"}
    levels = {label: figures[source][metric] for source, label in names.items() if source in figures}
    best = ranked.find_best()
    levels |= {"best without captions": best["mean_b"]} if best else {}
    points = [row for row in prediction if row["scope"] == "points" and row["recommender"] == recommender]
    interval_of = {row["a"]: (row["low"], row["high"]) for row in points}
    scatters = []
    for score in QUALITY_PANELS:
        points_of_score = [
            Point(value, figures[source][metric], captioner, variant, *interval_of.get(source, (None, None)))
            for source in figures
            for captioner, variant, value in _find_score(source, score, figures[source], captions)
        ]
        if len(points_of_score) > 1:
            scatters.append(Scatter(CAPTION_COLUMNS.get(score, "Similarity"), points_of_score, levels))
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


def frame_scatters(scatters: Sequence[Scatter]) -> pd.DataFrame:
    """Return the points and levels of scatters as rows."""
    points = [{"panel": scatter.title} | point._asdict() for scatter in scatters for point in scatter.points]
    levels = [
        {"panel": scatter.title, "level": name, "ndcg": value}
        for scatter in scatters
        for name, value in scatter.levels.items()
    ]
    return pd.DataFrame([*points, *levels])
