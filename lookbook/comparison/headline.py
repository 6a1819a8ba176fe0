"""The few flat figures of metrics/headline.json, so that `dvc metrics diff` of two experiments fits a screen."""

from typing import Any

from catalogue.descriptions.variants import is_masked
from recsys.scoring.arms import shorten_name

CAPTION_METRICS = (
    *("bleu_4", "meteor", "rouge_l", "cider", "spice"),
    *("attribute_precision", "attribute_recall", "core_precision", "length_ratio"),
)


def caption_figures(metrics: dict[str, Any], writer: str, variant: str) -> dict[str, float]:
    """`caption_bleu_4` … of one captioner; what was not scored is absent."""
    values = metrics[writer][variant]
    return {f"caption_{metric}": values[metric] for metric in CAPTION_METRICS if metric in values}


def ranking_figures(metrics: dict[str, Any], arms: list[tuple[str, str]], cutoff: int) -> dict[str, float]:
    """`rec_sbert_ndcg_12` … of the given (arm, recommender); `rec_masked_sbert_ndcg_12` where the arm is a masked text.

    NDCG is that on the articles that every catalogue has, so that original against augmented is a fair comparison, or,
    where each catalogue was split and scored alone, its own; on a masked text only masked articles are relevant. What the
    study's axes leave out is absent.
    """
    figures = {}
    for arm, recommender in arms:
        masked = is_masked(arm)
        found = metrics.get(arm, {}).get(recommender, {})
        own = found.get(f"ndcg_{cutoff}_common", found.get(f"ndcg_{cutoff}"))
        value = found.get(f"ndcg_masked_{cutoff}") if masked else own
        if value is not None:
            name = shorten_name(recommender).replace("-", "_")
            figures[f"rec_{'masked_' * masked}{name}_ndcg_{cutoff}"] = value
    return figures
