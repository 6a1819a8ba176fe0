"""The figures of metrics/headline.json and metrics/chosen.json: at most twenty, each in a row of 120 columns.

`dvc metrics show` prints the values of a file side by side, so that nine with short names fit.
"""

from collections.abc import Sequence
from typing import Any

from catalogue.descriptions.variants import name_filled_text, name_masked_text
from lookbook.comparison.ranked import find_metric
from lookbook.comparison.rows import Row
from lookbook.comparison.settings import Study

Figures = dict[str, float]

HEADLINE = ("chosen", "reference", "none", "best", "ft_pt", "difference", "low", "high", "cider", "preference")
CAPTION_METRICS = {  # as in metrics/captions.json -> key
    "bleu_4": "bleu_4",
    "cider": "cider",
    "spice": "spice",
    "attribute_precision": "precision",
    "attribute_recall": "recall",
    "core_precision": "core",
}


def select_arrival_figures(metrics: dict[str, Any], rows: Sequence[Row], study: Study) -> Figures:
    """Return NDCG among the arrivals by the primary comparison's recommender, and what that comparison found.

    Args:
        metrics: metrics/arrivals/<recommender>-<features>.json of the primary comparison.
        rows: The comparisons of the arrivals.
        study: It chooses the captions: `captions` of `writer`.

    Returns:
        chosen, reference, none: NDCG of the chosen captions and of these sources; best: of the best arm without
        captions, which was chosen on validation arrivals; ft_pt, low, high, p: the primary comparison, whatever the
        captions, with `difference` in the place of ft_pt where it is of other sources than the writer's captions.
        What the study does not have is absent.
    """
    names = {"chosen": f"{study.writer}-{study.captions}", "reference": "reference", "none": "none"}
    sources, metric = metrics["sources"], find_metric(metrics)
    figures = {key: sources[source][metric] for key, source in names.items() if source in sources}
    for row in rows:
        if row.get("family") == "secondary" and row["a"] != "reference" and row["b"] != "none":
            figures["best"] = row["mean_b"]
        if row.get("family") == "primary":
            is_ft_pt = (row["a"], row["b"]) == (f"{study.writer}-ft", f"{study.writer}-pt")
            figures["ft_pt" if is_ft_pt else "difference"] = row["difference"]
            figures |= {key: row[key] for key in ("low", "high", "p")}
    return figures


def select_caption_figures(metrics: dict[str, Any], study: Study) -> Figures:
    """Return the scores of the writer's captions that the study chooses; scores that were not computed are absent."""
    values = metrics[study.writer][study.captions]
    return {key: values[metric] for metric, key in CAPTION_METRICS.items() if metric in values}


def select_warm_figures(metrics: dict[str, Any], study: Study, cutoff: int) -> Figures:
    """Return NDCG where items keep their purchases, by the primary comparison's recommender.

    Args:
        metrics: metrics/recommendations.json.
        study: Its `captions` choose both texts, its `catalogue` the second.
        cutoff: The length of the lists.

    Returns:
        masked: on the test items, which have captions for descriptions. warm: on all items that every catalogue
        has, with `catalogue: augmented` where captions fill missing descriptions. Texts that the study leaves out are
        absent.
    """
    filled = name_filled_text(study.captions) if study.catalogue == "augmented" else study.catalogue
    masked, catalogue = (metrics.get(text, {}) for text in (name_masked_text(study.captions), filled))
    own = catalogue.get(study.primary.name, {})  # each catalogue may have been split and scored alone
    values = {
        "masked": masked.get(study.primary.name, {}).get(f"ndcg_masked_{cutoff}"),
        "warm": own.get(f"ndcg_{cutoff}_common", own.get(f"ndcg_{cutoff}")),
    }
    return {key: value for key, value in values.items() if value is not None}


def select_rating_figures(ratings: dict[str, Any]) -> Figures:
    """Return the net preference of people for the writer's fine-tuned captions, if a round of ratings is finished.

    Args:
        ratings: metrics/ratings.json.

    >>> select_rating_figures({"rounds": {}, "headline": {"round": "first", "preference": 0.4}})
    {'preference': 0.4}
    >>> select_rating_figures({})
    {}
    """
    return {"preference": ratings["headline"]["preference"]} if "headline" in ratings else {}


def split_figures(figures: Figures) -> tuple[Figures, Figures]:
    """Return the figures of the headline, which answer the study's question, and the others.

    >>> split_figures({"spice": 0.6, "low": 0.1, "chosen": 0.3})
    ({'chosen': 0.3, 'low': 0.1}, {'spice': 0.6})
    """
    headline = {key: figures[key] for key in HEADLINE if key in figures}
    return headline, {key: value for key, value in figures.items() if key not in headline}
