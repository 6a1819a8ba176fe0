"""All figures of a study, by name; a figure without content is left out."""

from collections.abc import Iterator
from functools import partial

import pandas as pd

from lookbook.reporting.charts import Chart
from lookbook.reporting.charts.arrivals import draw_arrivals
from lookbook.reporting.charts.captions import draw_captions
from lookbook.reporting.charts.drawing import draw_bars, draw_learning_curves
from lookbook.reporting.charts.ratings import draw_ratings
from lookbook.reporting.charts.recommendations import draw_recommendations
from lookbook.reporting.results import Results
from lookbook.reporting.settings import ReportedStudy


def list_charts(study: ReportedStudy, results: Results) -> list[Chart]:
    """Return the figures of this study whose results are there.

    Args:
        study: Its axes.
        results: Its results.
    """
    charts = [
        *draw_arrivals(study, results),
        *draw_captions(results),
        *draw_ratings(results.ratings),
        *draw_recommendations(study, results),
        *_draw_training(results),
        *_draw_costs(results),
    ]
    return [chart for chart in charts if chart is not None]


def _draw_training(results: Results) -> Iterator[Chart | None]:
    curves = {name: curve for name, curve in results.curves.items() if len(curve)}
    if curves:
        frame = pd.concat([curve[curve["kind"] != "lr"].assign(captioner=name) for name, curve in curves.items()])
        words = "Training and validation loss by optimiser step."
        yield Chart(
            "curves", words, frame[["captioner", "step", "kind", "value"]], partial(draw_learning_curves, curves)
        )
    seconds = {f"fine-tuning {name}": run["seconds"] for name, run in results.runs.items() if "seconds" in run}
    yield _chart_seconds("cost", "Seconds of each fine-tuning.", seconds)


def _draw_costs(results: Results) -> Iterator[Chart | None]:
    seconds: dict[str, float] = {}
    for cell in results.costs:
        if cell.costs:
            seconds[cell.stage] = seconds.get(cell.stage, 0.0) + cell.costs["seconds"]
    yield _chart_seconds("cost-stages", "Seconds of the cells of each stage.", seconds)


def _chart_seconds(name: str, words: str, seconds: dict[str, float]) -> Chart | None:
    if not seconds:
        return None
    frame = pd.DataFrame({"stage": list(seconds), "seconds": list(seconds.values())})
    return Chart(name, words, frame, partial(draw_bars, seconds, "seconds"))
