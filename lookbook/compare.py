"""python -m lookbook.compare: PT against FT captions, catalogues and texts against one another, with intervals and p.

Reads the scores per item and per user, writes metrics/comparison.json (a row per comparison) and
metrics/headline.json (few flat keys, chosen by `captions` and `catalogue`).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from catalogue.descriptions.variants import CATALOGUE_OF, name_masked_text
from catalogue.prepared.items import read_items
from lookbook.comparison import headline, significance
from lookbook.comparison import recommendations as recommendations
from lookbook.comparison.captions import caption_differences
from lookbook.comparison.recommendations import Axes
from pipeline.core.errors import UserError
from pipeline.core.outputs import read_json, read_parquet, write_json
from pipeline.core.params import Section, read, suggest
from pipeline.core.stage import print_summary, run
from recsys.scoring.arms import list_catalogue_recommenders, list_text_recommenders

ITEMS = Path("data/prepared/items.parquet")
CAPTION_SCORES = Path("data/scores/captions.parquet")
CAPTION_METRICS = Path("metrics/captions.json")
REC_METRICS = Path("metrics/recommendations.json")

TABLES = ("captions", "catalogues", "masked", "slices")


class Compare(Section):
    draws: Annotated[int, Field(ge=100)]


class Params(Section):
    captions: Literal["pt", "ft"]
    catalogue: Literal["original", "augmented"]
    writer: str
    seed: Annotated[int, Field(ge=0)]
    captioners: dict[str, Any]
    texts: list[str]
    catalogues: list[str]
    recommenders: list[str]
    image_features: list[str]
    text_features: list[str]
    compare: Compare


def main() -> None:
    params = read(Params)
    if params.captioners and params.writer not in params.captioners:
        allowed = list(params.captioners)
        raise UserError(
            f"params.yaml: writer: {params.writer!r} is not a captioner; allowed: {', '.join(allowed)}{suggest(params.writer, allowed)}"
        )
    comparison: dict[str, Any] = {"draws": params.compare.draws, "interval": significance.LEVEL}
    comparison |= {"captions": compare_captions(params)} | compare_recommendations(params)
    for table in TABLES:
        significance.correct_rows(comparison[table])
    figures = headline_of(params, comparison.get("cutoff"))
    write_json("metrics/comparison.json", comparison)
    write_json("metrics/headline.json", figures)
    rows = sum(len(comparison[table]) for table in TABLES)
    print_summary(
        f"wrote metrics/comparison.json ({rows} comparisons, {params.compare.draws} draws) and metrics/headline.json "
        f"({len(figures)} figures of {params.captions} captions and the {params.catalogue} catalogue)"
    )


# Captions: pt against ft, one captioner after the other


def compare_captions(params: Params) -> list[dict[str, Any]]:
    """A row per captioner and metric: fine-tuned minus pre-trained, groups of items resampled."""
    if not params.captioners:
        return []
    scores = read_parquet(CAPTION_SCORES)
    groups = read_items(ITEMS, ["item_id", "group"]).set_index("item_id")["group"]
    rows = []
    for captioner in params.captioners:
        own = scores[scores["captioner"] == captioner]
        ft, pt = (_wide(own[own["variant"] == variant], captioner, variant) for variant in ("ft", "pt"))
        if not ft.index.equals(pt.index):
            raise UserError(
                f"{CAPTION_SCORES}: {captioner}: the items of pt and ft differ; run `dvc repro caption_score`"
            )
        rows += list(_caption_rows(captioner, ft, pt, groups.reindex(ft.index).to_numpy(), params))
    return rows


def _wide(scores: pd.DataFrame, captioner: str, variant: str) -> pd.DataFrame:
    """A row per item (sorted), a column per metric; NaN where an item has no score."""
    if scores.empty:
        raise UserError(f"{CAPTION_SCORES}: no rows for {captioner}, {variant}; run `dvc repro caption_score`")
    return scores.pivot(index="item_id", columns="metric", values="value").sort_index()


def _caption_rows(
    captioner: str, ft: pd.DataFrame, pt: pd.DataFrame, groups: np.ndarray, params: Params
) -> Iterator[dict[str, Any]]:
    confirmatory = {
        "cider",
        "core_precision" if "core_precision" in ft and "core_precision" in pt else "attribute_precision",
    }
    for row in caption_differences(ft, pt, groups, params.compare.draws, params.seed):
        about = {"table": "captions", "captioner": captioner, "metric": row["metric"], "a": "ft", "b": "pt"}
        yield about | row | {"confirmatory": row["metric"] in confirmatory}


# Recommendations: one recommender in two arms


def compare_recommendations(params: Params) -> dict[str, Any]:
    """The three tables, how lists were scored and at which cutoff; empty in a study without recommendations."""
    if not params.catalogues and not params.texts:
        return {"catalogues": [], "masked": [], "slices": []}
    plain = list_catalogue_recommenders(params.recommenders, params.image_features)
    texted = list_text_recommenders(params.text_features)
    axes = Axes(params.catalogues, params.texts, plain, texted, params.compare.draws, params.seed)
    cutoff = recommendations.cutoff_of()
    return {
        "cutoff": cutoff,
        "evaluation": recommendations.evaluation_of(),
        "catalogues": recommendations.compare_catalogues(axes, cutoff),
        "masked": recommendations.compare_masked(axes, cutoff),
        "slices": recommendations.compare_slices(axes, cutoff),
    }


def headline_of(params: Params, cutoff: int | None) -> dict[str, float]:
    """The figures of the chosen `captions` and `catalogue`; `cutoff` is null in a study without recommendations."""
    figures: dict[str, float] = {}
    if params.captioners:
        figures |= headline.caption_figures(read_json(CAPTION_METRICS), params.writer, params.captions)
    if cutoff is not None:
        arms: list[tuple[str, str]] = [(CATALOGUE_OF[params.catalogue], name) for name in params.recommenders]
        texted = list_text_recommenders(params.text_features)
        arms += [(params.catalogue, name) for name in texted]
        arms += [(name_masked_text(params.captions), name) for name in texted]
        figures |= headline.ranking_figures(read_json(REC_METRICS), arms, cutoff)
    return figures


if __name__ == "__main__":
    run(main)
