"""python -m lookbook.compare: compare captions, catalogues and texts, with intervals and p.

Reads the scores per item and per user, and the rankings of new arrivals. Writes metrics/comparison.json (a row per
comparison), metrics/headline.json (what answers the question) and metrics/chosen.json (other figures of the same
captions): at most twenty figures, and `captions` and `catalogue` choose what they show.
"""

from pathlib import Path
from typing import Any

from lookbook.comparison import arrivals, headline, recommendations
from lookbook.comparison.captions import compare_captioners
from lookbook.comparison.correction import correct_rows
from lookbook.comparison.prediction import predict_recommendations
from lookbook.comparison.recommendations import Axes, Tables
from lookbook.comparison.rows import TABLES, flatten_tables
from lookbook.comparison.settings import Compare, Study
from lookbook.comparison.significance import LEVEL
from lookbook.comparison.user_scores import find_cutoff, find_evaluation, read_products
from pipeline.core.errors import UserError
from pipeline.core.outputs import read_json, write_json
from pipeline.core.params import PARAMS, read
from pipeline.core.stage import print_summary, run
from pipeline.names import explain_unknown_name
from recsys.scoring.arms import list_catalogue_recommenders, list_text_recommenders

ITEMS = Path("data/prepared/items.parquet")
CAPTION_SCORES = Path("data/scores/captions.parquet")
USER_SCORES = Path("data/scores/recommendations.parquet")
SLICE_SCORES = Path("data/scores/recommendation_slices.parquet")
HITS = Path("data/scores/recommendation_hits.parquet")
SLICE_HITS = Path("data/scores/recommendation_slice_hits.parquet")
RELEVANT = Path("data/scores/recommendation_items.parquet")
INTERACTIONS = Path("data/interactions")
RANKED = Path("data/arrivals/ranked")
CAPTION_METRICS = Path("metrics/captions.json")
REC_METRICS = Path("metrics/recommendations.json")
RATINGS = Path("metrics/ratings.json")
ARRIVALS = Path("metrics/arrivals")
COMPARISON = Path("metrics/comparison.json")
HEADLINE = Path("metrics/headline.json")
CHOSEN = Path("metrics/chosen.json")


class Params(Study):
    """What `compare` reads of params.yaml."""

    compare: Compare


def main() -> None:
    """Compare, correct p for the number of tests, and write the three files."""
    params = read(Params)
    problem = explain_unknown_name("captioner of this study", params.writer, params.captioners)
    if problem and params.captioners:
        raise UserError(f"{PARAMS}: writer: {problem}")
    comparison = compare_study(params)
    tables = {table: comparison.pop(table, []) for table in TABLES}
    correct_rows(tables["captions"])
    comparison["rows"] = flatten_tables(tables)
    figures, others = headline.split_figures(select_figures(params, comparison))
    write_json(COMPARISON, comparison)
    write_json(HEADLINE, figures)
    write_json(CHOSEN, others)
    print_summary(
        f"wrote {COMPARISON} ({len(comparison['rows'])} comparisons, {params.compare.draws} draws), {HEADLINE} and "
        f"{CHOSEN} ({len(figures | others)} figures of {params.captions} captions and the {params.catalogue} catalogue)"
    )


def compare_study(params: Params) -> dict[str, Any]:
    """Return all tables and how they were computed; tables of an empty axis are absent."""
    draws, seed = params.compare.draws, params.compare.seed
    comparison: dict[str, Any] = {"draws": draws, "interval": LEVEL, "cutoff": None, "evaluation": None}
    if params.captioners:
        comparison["captions"] = compare_captioners(CAPTION_SCORES, ITEMS, params.captioners, draws, seed)
    if not params.has_recommendations:
        return comparison
    paths = arrivals.Paths(RANKED, ARRIVALS, INTERACTIONS)
    names, captioners = params.primary_recommenders, list(params.captioners)
    comparison["arrivals"] = arrivals.compare_arrivals(params, params.compare, paths)
    comparison["prediction"] = predict_recommendations(CAPTION_SCORES, RANKED, names, captioners, draws, seed)
    return comparison | compare_warm(params)


def compare_warm(params: Params) -> dict[str, Any]:
    """Return the tables of items that keep their purchases; none in a study that makes no lists of them."""
    cutoff, evaluation = find_cutoff(USER_SCORES), find_evaluation(USER_SCORES)
    if cutoff is None:
        return {}
    content = params.warm_content_recommenders
    plain = list_catalogue_recommenders(params.recommenders, content, params.warm_image_features)
    texted = list_text_recommenders(content, params.warm_text_features)
    axes, product = Axes(params.catalogues, params.texts, plain, texted), read_products(ITEMS, INTERACTIONS)
    users = Tables(USER_SCORES, HITS, RELEVANT, product)
    slices = Tables(SLICE_SCORES, SLICE_HITS, RELEVANT, product)
    return {
        "cutoff": cutoff,
        "evaluation": evaluation,
        "catalogues": recommendations.compare_catalogues(axes, users, cutoff),
        "masked": recommendations.compare_masked(axes, users, cutoff),
        "slices": recommendations.compare_slices(axes, slices, cutoff, evaluation),
    }


def select_figures(params: Params, comparison: dict[str, Any]) -> headline.Figures:
    """Return the figures of arrivals, captions, ratings and warm items; what the study does not have is absent."""
    figures = headline.select_rating_figures(read_json(RATINGS))
    if params.primary_recommenders:
        metrics = read_json(ARRIVALS / f"{params.primary.name}.json")
        figures |= headline.select_arrival_figures(metrics, comparison["rows"], params)
    if params.captioners:
        figures |= headline.select_caption_figures(read_json(CAPTION_METRICS), params)
    if comparison["cutoff"] is not None:
        figures |= headline.select_warm_figures(read_json(REC_METRICS), params, comparison["cutoff"])
    return figures


if __name__ == "__main__":
    run(main)
