"""python -m lookbook.compare: compare captions, catalogues and texts, with intervals and p.

Reads the scores per item and per user. Writes metrics/comparison.json (a row per comparison) and metrics/headline.json
(about twenty flat keys; `captions` and `catalogue` choose what they show).
"""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from lookbook.comparison import headline, recommendations
from lookbook.comparison.captions import compare_captioners
from lookbook.comparison.correction import correct_rows
from lookbook.comparison.recommendations import Axes
from lookbook.comparison.rows import TABLES, flatten_tables
from lookbook.comparison.settings import Study
from lookbook.comparison.significance import LEVEL
from lookbook.comparison.user_scores import find_cutoff, find_evaluation
from pipeline.core.errors import UserError
from pipeline.core.outputs import read_json, write_json
from pipeline.core.params import PARAMS, Section, read
from pipeline.core.stage import print_summary, run
from pipeline.names import explain_unknown_name
from recsys.scoring.arms import list_catalogue_recommenders, list_text_recommenders

ITEMS = Path("data/prepared/items.parquet")
CAPTION_SCORES = Path("data/scores/captions.parquet")
USER_SCORES = Path("data/scores/recommendations.parquet")
SLICE_SCORES = Path("data/scores/recommendation_slices.parquet")
CAPTION_METRICS = Path("metrics/captions.json")
REC_METRICS = Path("metrics/recommendations.json")
COMPARISON = Path("metrics/comparison.json")
HEADLINE = Path("metrics/headline.json")


class Compare(Section):
    """The section `compare` of params.yaml."""

    draws: Annotated[int, Field(ge=100)]
    seed: Annotated[int, Field(ge=0)]


class Params(Study):
    """What `compare` reads of params.yaml."""

    compare: Compare


def main() -> None:
    """Compare, correct p for the number of tests, and write both files."""
    params = read(Params)
    problem = explain_unknown_name("captioner of this study", params.writer, params.captioners)
    if problem and params.captioners:
        raise UserError(f"{PARAMS}: writer: {problem}")
    comparison = compare_study(params)
    tables = {table: comparison.pop(table) for table in TABLES}
    for rows in tables.values():
        correct_rows(rows)
    comparison["rows"] = flatten_tables(tables)
    figures = select_figures(params, comparison.get("cutoff"))
    write_json(COMPARISON, comparison)
    write_json(HEADLINE, figures)
    print_summary(
        f"wrote {COMPARISON} ({len(comparison['rows'])} comparisons, {params.compare.draws} draws) and {HEADLINE} "
        f"({len(figures)} figures of {params.captions} captions and the {params.catalogue} catalogue)"
    )


def compare_study(params: Params) -> dict[str, Any]:
    """Return the four tables and how they were computed; tables of an empty axis have no rows."""
    draws, seed = params.compare.draws, params.compare.seed
    comparison: dict[str, Any] = {"draws": draws, "interval": LEVEL, "captions": []}
    if params.captioners:
        comparison["captions"] = compare_captioners(CAPTION_SCORES, ITEMS, params.captioners, draws, seed)
    if not params.has_recommendations:
        return comparison | {"catalogues": [], "masked": [], "slices": []}
    plain = list_catalogue_recommenders(params.recommenders, params.content_recommenders, params.image_features)
    texted = list_text_recommenders(params.content_recommenders, params.text_features)
    axes = Axes(params.catalogues, params.texts, plain, texted, draws, seed)
    cutoff, evaluation = find_cutoff(USER_SCORES), find_evaluation(USER_SCORES)
    return comparison | {
        "cutoff": cutoff,
        "evaluation": evaluation,
        "catalogues": recommendations.compare_catalogues(axes, USER_SCORES, cutoff),
        "masked": recommendations.compare_masked(axes, USER_SCORES, cutoff),
        "slices": recommendations.compare_slices(axes, SLICE_SCORES, cutoff, evaluation),
    }


def select_figures(params: Params, cutoff: int | None) -> dict[str, float]:
    """Return the headline's figures; `cutoff` is None in a study without recommendations."""
    figures: dict[str, float] = {}
    if params.captioners:
        figures |= headline.select_caption_figures(read_json(CAPTION_METRICS), params)
    if cutoff is not None:
        figures |= headline.select_recommendation_figures(read_json(REC_METRICS), params, cutoff)
    return figures


if __name__ == "__main__":
    run(main)
