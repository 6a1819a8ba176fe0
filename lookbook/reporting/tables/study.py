"""All tables of a study."""

from collections.abc import Iterator

from lookbook.comparison.settings import Study
from lookbook.reporting.formatting import Table
from lookbook.reporting.results import Results
from lookbook.reporting.tables import arrivals, captions, catalogue, prediction, published, recommendations, tuning
from lookbook.reporting.tables.visibility import visibility_table
from lookbook.reporting.tables.warm import warm_table


def list_tables(study: Study, dataset: str, results: Results) -> list[Table]:
    """Return the tables of this study; those of an empty axis are left out.

    Args:
        study: Its axes.
        dataset: The name of its data, which decides whether the original study has figures to compare with.
        results: Its results.
    """
    tables = [
        *_arrival_tables(study, results),
        *_caption_tables(study, results),
        *_recommendation_tables(study, results),
        *_difference_tables(results),
        *_tuning_tables(results),
        catalogue.catalogue_table(results.catalogue),
        *_published_tables(study, dataset, results),
    ]
    return [catalogue.add_warning(table, results.catalogue) for table in tables]


def _arrival_tables(study: Study, results: Results) -> Iterator[Table]:
    """Yield the tables of the arrivals: that of the primary comparison's features is called `arrivals`."""
    ranked = results.ranked
    if ranked is None:
        return
    texts = [name for name in study.arrival_features if name in study.text_features]
    for features in texts:
        is_primary = features == study.primary.features
        yield arrivals.arrivals_table(ranked, features, "arrivals" if is_primary else f"arrivals-{features}")
    tested, predicted = arrivals.findings_table(ranked), prediction.prediction_table(results.comparison["prediction"])
    yield from (table for table in (tested, predicted) if table)
    yield arrivals.all_items_table(ranked, study.arrival_features)


def _caption_tables(study: Study, results: Results) -> Iterator[Table]:
    if not study.captioners:
        return
    captioners, comparisons = list(study.captioners), results.comparison["captions"]
    yield captions.captions_table(results.captions, comparisons, captioners)
    yield captions.caption_differences_table(results.captions, comparisons)
    spice = captions.spice_table(results.captions, captioners)
    if spice:
        yield spice
    yield captions.attributes_table(results.attributes, captioners)
    visible = visibility_table(results.attributes, captioners, captions.has_truth(results.captions, captioners))
    if visible:
        yield visible
    yield captions.confusions_table(results.confusions, captioners)


def _recommendation_tables(study: Study, results: Results) -> Iterator[Table]:
    if not study.has_recommendations:
        return
    axes = study.model_dump()
    comparison, metrics = results.comparison, results.recommendations
    if comparison["evaluation"] == "common":
        yield recommendations.recommendations_table(metrics, comparison["catalogues"], axes)
    yield recommendations.own_recommendations_table(metrics, axes)
    warm = warm_table(metrics, axes, comparison["cutoff"])
    if warm:
        yield warm
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
    tables = (tuning.tuning_table(results.tuning, results.most_epochs), tuning.trials_table(results.tuning))
    yield from (table for table in tables if table)


def _published_tables(study: Study, dataset: str, results: Results) -> Iterator[Table]:
    """Yield the original study's tables with ours beside them, where this study is about its data."""
    tables = [
        published.published_captions_table(dataset, results.captions) if study.captioners else None,
        published.published_recommendations_table(dataset, results.recommendations)
        if study.has_recommendations
        else None,
    ]
    yield from (table for table in tables if table)
