"""The results of a study, as its tables and figures read them: all of them, or those that are there."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pandas as pd

from lookbook.comparison.rows import TABLES, read_comparison
from lookbook.reporting import files
from lookbook.reporting.cells import Line, read_line
from lookbook.reporting.costs import CellCosts, read_costs
from lookbook.reporting.files import Reader
from lookbook.reporting.formatting import Tuning, Values
from lookbook.reporting.ranked import Ranked
from lookbook.reporting.settings import ReportedStudy
from pipeline.core.outputs import read_json, read_parquet
from pipeline.core.params import PARAMS
from pipeline.core.record import COSTS
from recsys.scoring.arms import BUYERS, list_text_recommenders

T = TypeVar("T")
NOTHING_COMPARED: Values = {table: [] for table in TABLES} | {"draws": 0, "cutoff": None, "evaluation": None}


NOTHING: Values = {}
OF_CAPTIONS = (files.ATTRIBUTES, files.CONFUSIONS)


@dataclass(frozen=True)
class Results:
    """Metrics and scores; empty where a study has none, or has not made them yet.

    Attributes:
        captioners: Those whose captions are scored, in the order of the study.
        comparison: A key per table, as `read_comparison` returns it.
        by_buyers: What `read_by_buyers` reads; empty in a study that recommends nothing.
        ranked: The results of new arrivals; None in a study that has none.
        tuning: (experiment, recommender with features) -> metrics/tune/<experiment>/<name>.json.
        most_epochs: The limit of their epochs.
        ratings: metrics/ratings.json; empty where nobody has rated.
        headline: The figures of metrics/headline.json and metrics/chosen.json.
        curves: The learning curve of each captioner that has one.
        runs: The run record of each captioner that has one.
        line: The cells of the line, and the parameters.
        costs: What these cells cost; empty where no cell has costs.
    """

    captioners: list[str]
    comparison: Values
    catalogue: Values
    captions: Values
    recommendations: Values
    attributes: pd.DataFrame
    confusions: pd.DataFrame
    by_buyers: pd.DataFrame = field(default_factory=pd.DataFrame)
    ranked: Ranked | None = None
    tuning: Tuning = field(default_factory=dict)
    most_epochs: int = 0
    ratings: Values = field(default_factory=dict)
    headline: Values = field(default_factory=dict)
    curves: dict[str, pd.DataFrame] = field(default_factory=dict)
    runs: dict[str, Values] = field(default_factory=dict)
    line: Line = field(default_factory=lambda: Line([], {}))
    costs: list[CellCosts] = field(default_factory=list)


def read_results(study: ReportedStudy, reader: Reader) -> Results:
    """Read the results of the axes that the study has; the reader notes those that are not there."""
    has_captions = bool(study.captioners)
    comparison = reader.read(files.COMPARISON, read_comparison, NOTHING_COMPARED)
    captions = reader.read(files.CAPTION_METRICS, read_json, NOTHING) if has_captions else NOTHING
    if any(name not in captions for name in study.captioners):
        reader.note(files.CAPTION_METRICS, files.STAGES[files.CAPTION_METRICS])
    scores = [reader.read(path, read_parquet, pd.DataFrame()) for path in OF_CAPTIONS] if has_captions else []
    line = read_line(files.LINE, PARAMS)
    attributes, confusions = scores or [pd.DataFrame()] * len(OF_CAPTIONS)
    return Results(
        captioners=[name for name in study.captioners if name in captions],
        comparison=comparison,
        catalogue=reader.read(files.CATALOGUE, read_json, NOTHING),
        captions=captions,
        recommendations=reader.read(files.REC_METRICS, read_json, NOTHING) if study.has_recommendations else {},
        attributes=attributes,
        confusions=confusions,
        by_buyers=reader.read(files.REC_SLICES, read_by_buyers, pd.DataFrame())
        if study.has_recommendations
        else pd.DataFrame(),
        ranked=read_ranked(files.ARRIVALS, study, comparison, reader),
        tuning=read_tuning(files.TUNING, study),
        most_epochs=study.rec_tune.epochs,
        ratings=reader.read(files.RATINGS, read_json, NOTHING),
        headline=reader.read(files.HEADLINE, read_json, NOTHING) | reader.read(files.CHOSEN, read_json, NOTHING),
        curves=_read_present(files.CURVES, study.captioners, ".csv", pd.read_csv),
        runs=_read_present(files.RUN_RECORDS, study.captioners, ".json", read_json),
        line=line,
        costs=read_costs(COSTS, line.cells),
    )


def _read_present(folder: Path, names: Iterable[str], ending: str, read: Callable[[Path], T]) -> dict[str, T]:
    paths = {name: folder / f"{name}{ending}" for name in names}
    return {name: read(path) for name, path in paths.items() if path.exists()}


def read_by_buyers(path: Path) -> pd.DataFrame:
    """Read the mean NDCG of each recommender on items of the catalogue `original`, by how many train users bought them.

    Args:
        path: The scores of slices; users of a million customers fit, as polars reads the columns it needs.

    Returns:
        recommender, slice, ndcg (mean over users, then over runs), users (of a run), in the order of the slices; the
        length of the lists is `attrs["cutoff"]`.
    """
    import polars as pl  # not at the top: only studies that recommend need it

    table = pl.scan_parquet(path)
    metric = next((name for name in reversed(table.collect_schema().names()) if name.startswith("ndcg_")), None)
    if metric is None:
        return pd.DataFrame()
    labels = [pl.col(name).cast(pl.String) for name in ("arm", "recommender", "slice")]
    rows = table.with_columns(labels).filter(pl.col("arm") == "original", pl.col("slice").str.starts_with(BUYERS))
    keys = ["recommender", "slice", "run", "user"]  # in their order, since another ends in other last bits
    scores = rows.select(*keys, ndcg=metric).collect().sort(keys).to_pandas()
    of_runs = scores.groupby(keys[:3])["ndcg"].agg(ndcg="mean", users="size").reset_index()
    runs = of_runs.groupby(keys[:2], as_index=False)
    means = pl.from_pandas(runs.agg({"ndcg": "mean", "users": "max"}))
    order = pl.col("slice").str.extract(r"(\d+)").cast(pl.Int64)
    frame = pd.DataFrame(means.sort("recommender", order).to_dicts())
    frame.attrs["cutoff"] = int(metric.removeprefix("ndcg_"))
    return frame


def read_ranked(folder: Path, study: ReportedStudy, comparison: Values, reader: Reader) -> Ranked | None:
    """Read the results of new arrivals; None in a study that ranks none, or has not ranked the primary ones.

    Args:
        folder: A file per recommender with features.
        study: Its axes.
        comparison: metrics/comparison.json, as `read_comparison` returns it.
        reader: Notes the recommenders of the axes that have no file.
    """
    if not study.arrival_features:
        return None
    first = study.primary.recommender
    recommenders = sorted(study.content_recommenders, key=lambda name: name != first)  # stable: the others in order
    metrics: Values = {}
    for features in study.arrival_features:
        stage = f"rec_rank_arrivals_{'image' if features in study.image_features else 'text'}"
        for name in list_text_recommenders(recommenders, [features]):
            metrics[name] = reader.read(folder / f"{name}.json", read_json, NOTHING, stage)
    metrics = {name: figures for name, figures in metrics.items() if figures}
    if study.primary.name not in metrics:
        return None
    return Ranked(
        metrics=metrics,
        rows=comparison["arrivals"],
        recommenders=recommenders,
        image_features=[name for name in study.image_features if name in study.arrival_features],
        writer=study.writer,
    )


def read_tuning(folder: Path, study: ReportedStudy) -> Tuning:
    """Read what was tuned, by experiment and recommender: the recommenders of the axes that have a file.

    Args:
        folder: A folder per experiment, in it a file per recommender.
        study: Its axes.
    """
    warm = [*study.warm_image_features, *study.warm_text_features]
    names = {
        "arrivals": list_text_recommenders(study.content_recommenders, study.arrival_features),
        "warm": [*study.recommenders, *list_text_recommenders(study.warm_content_recommenders, warm)],
    }
    paths = {(kind, name): folder / kind / f"{name}.json" for kind in names for name in names[kind]}
    return {key: read_json(path) for key, path in paths.items() if path.exists()}
