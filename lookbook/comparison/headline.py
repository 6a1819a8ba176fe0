"""The figures of metrics/headline.json: about twenty flat keys, so that `dvc metrics diff` fits a screen."""

from typing import Any

from catalogue.descriptions.variants import CATALOGUE_OF, is_masked, name_masked_text
from lookbook.comparison.settings import Study
from recsys.scoring.arms import list_text_recommenders, shorten_name

CAPTION_METRICS = (
    *("bleu_4", "meteor", "rouge_l", "cider", "spice"),
    *("attribute_precision", "attribute_recall", "core_precision", "length_ratio"),
)


def select_caption_figures(metrics: dict[str, Any], study: Study) -> dict[str, float]:
    """Return `caption_bleu_4` … of the writer's captions that the study chooses; metrics not scored are absent."""
    values = metrics[study.writer][study.captions]
    return {f"caption_{metric}": values[metric] for metric in CAPTION_METRICS if metric in values}


def select_recommendation_figures(metrics: dict[str, Any], study: Study, cutoff: int) -> dict[str, float]:
    """Return `rec_sbert_ndcg_12` …, and `rec_masked_sbert_ndcg_12` … where the arm is a masked text."""
    arms: list[tuple[str, str]] = [(CATALOGUE_OF[study.catalogue], name) for name in study.recommenders]
    texted = list_text_recommenders(study.content_recommenders, study.text_features)
    arms += [(study.catalogue, name) for name in texted]
    arms += [(name_masked_text(study.captions), name) for name in texted]
    return ranking_figures(metrics, arms, study.content_recommenders, cutoff)


def ranking_figures(
    metrics: dict[str, Any], arms: list[tuple[str, str]], content_recommenders: list[str], cutoff: int
) -> dict[str, float]:
    """Return a figure per (arm, recommender); arms that the study's axes leave out are absent.

    NDCG is taken on the articles that every catalogue has, so that original and augmented can be compared; where each
    catalogue was split and scored alone, on its own articles. On a masked text only masked articles are relevant.
    """
    figures = {}
    for arm, recommender in arms:
        masked = is_masked(arm)
        values = metrics.get(arm, {}).get(recommender, {})
        own = values.get(f"ndcg_{cutoff}_common", values.get(f"ndcg_{cutoff}"))
        value = values.get(f"ndcg_masked_{cutoff}") if masked else own
        if value is not None:
            name = shorten_name(recommender, content_recommenders).replace("-", "_")
            figures[f"rec_{'masked_' * masked}{name}_ndcg_{cutoff}"] = value
    return figures
