"""All tables of a study."""

from collections.abc import Iterator

from lookbook.reporting.formatting import Table
from lookbook.reporting.results import Results
from lookbook.reporting.settings import ReportedStudy
from lookbook.reporting.tables import arrivals, captions, catalogue, prediction, published, recommendations, tuning
from lookbook.reporting.tables.cost import cost_table, recommender_costs_table, stage_costs_table
from lookbook.reporting.tables.ratings import list_rating_tables
from lookbook.reporting.tables.visibility import visibility_table
from lookbook.reporting.tables.warm import warm_table
from recsys.scoring.arms import build_name


def list_tables(study: ReportedStudy, results: Results) -> list[Table]:
    """Return the tables of this study; those of an empty axis, or of results that are not there, are left out.

    Args:
        study: Its axes.
        results: Its results.
    """
    tables = [
        *_arrival_tables(study, results),
        *_caption_tables(study, results),
        *list_rating_tables(results.ratings),
        *_recommendation_tables(study, results),
        *_difference_tables(results),
        *_tuning_tables(results),
        *_cost_tables(study, results),
        *([catalogue.catalogue_table(results.catalogue)] if results.catalogue else []),
        *_published_tables(study, results),
    ]
    return [catalogue.add_warning(table, results.catalogue) for table in tables]


def _arrival_tables(study: ReportedStudy, results: Results) -> Iterator[Table]:
    """Yield the tables of the arrivals: that of the primary comparison's features is called `arrivals`."""
    ranked = results.ranked
    if ranked is None:
        return
    texts = [name for name in study.arrival_features if name in study.text_features]
    texts = [name for name in texts if build_name(ranked.recommenders[0], name) in ranked.metrics]
    for features in texts:
        is_primary = features == study.primary.features
        yield arrivals.arrivals_table(ranked, features, "arrivals" if is_primary else f"arrivals-{features}")
    tested, predicted = arrivals.findings_table(ranked), prediction.prediction_table(results.comparison["prediction"])
    yield from (table for table in (tested, predicted) if table)
    yield arrivals.all_items_table(ranked, study.arrival_features)


def _caption_tables(study: ReportedStudy, results: Results) -> Iterator[Table]:
    if not results.captioners:
        return
    captioners, comparisons = results.captioners, results.comparison["captions"]
    yield captions.captions_table(results.captions, comparisons, captioners)
    yield captions.caption_differences_table(results.captions, comparisons)
    spice = captions.spice_table(results.captions, captioners)
    if spice:
        yield spice
    if not results.attributes.empty:
        yield captions.attributes_table(results.attributes, captioners)
        yield from _visibility_tables(results)
    if not results.confusions.empty:
        yield captions.confusions_table(results.confusions, captioners)


def _visibility_tables(results: Results) -> Iterator[Table]:
    has_truth = captions.has_truth(results.captions, results.captioners)
    table = visibility_table(results.attributes, results.captioners, has_truth)
    if table:
        yield table


def _recommendation_tables(study: ReportedStudy, results: Results) -> Iterator[Table]:
    if not results.recommendations:
        return
    axes = study.model_dump()
    comparison, metrics = results.comparison, results.recommendations
    if comparison["evaluation"] == "common":
        yield recommendations.recommendations_table(metrics, comparison["catalogues"], axes)
    yield recommendations.own_recommendations_table(metrics, axes)
    warm = warm_table(metrics, axes, comparison["cutoff"]) if comparison["cutoff"] else None
    if warm:
        yield warm
    if comparison["cutoff"]:
        yield recommendations.beyond_accuracy_table(metrics, axes, comparison["cutoff"])


def _difference_tables(results: Results) -> Iterator[Table]:
    comparison = results.comparison
    if comparison["catalogues"]:
        yield recommendations.catalogue_differences_table(comparison["catalogues"], comparison["cutoff"])
    if comparison["masked"]:
        yield recommendations.masked_table(comparison["masked"], comparison["cutoff"])
        yield recommendations.masked_all_table(comparison["masked"], comparison["cutoff"])
    if comparison["slices"]:
        yield recommendations.slices_table(comparison["slices"], comparison["cutoff"])


def _tuning_tables(results: Results) -> Iterator[Table]:
    chosen = tuning.tuning_table(results.tuning, results.most_epochs)
    yield from (table for table in (chosen, tuning.trials_table(results.tuning)) if table)


def _cost_tables(study: ReportedStudy, results: Results) -> Iterator[Table]:
    country = study.caption_train.country
    of_cells = (stage_costs_table(results.costs, country), recommender_costs_table(results.costs, country))
    yield from (table for table in (cost_table(results.runs), *of_cells) if table)


def _published_tables(study: ReportedStudy, results: Results) -> Iterator[Table]:
    """Yield the original study's tables with ours beside them, where this study is about its data."""
    tables = [
        published.published_captions_table(study.dataset, results.captions) if results.captioners else None,
        published.published_recommendations_table(study.dataset, results.recommendations)
        if results.recommendations
        else None,
    ]
    yield from (table for table in tables if table)
