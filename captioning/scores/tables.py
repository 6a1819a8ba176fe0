"""Builds the outputs of the stage caption_score from the scores of a study."""

from typing import Any

import pandas as pd

from captioning.scores.content_based import LEFT_OUT, ContentScores
from captioning.scores.reference_based import Scores
from captioning.scores.study import CEILING, Study, split_by_set

# The metrics that close the list of a set; before them come those of each score, in its order.
LAST = ("length_ratio", "finished_share")
KEYS = ("item_id", "captioner", "variant")


def list_captions(study: Study) -> dict[str, dict[str, str]]:
    """List the captions of each set: `captioner variant` -> item -> caption."""
    return {
        f"{captioner} {variant}": dict(zip(rows["item_id"], rows["caption"], strict=True))
        for captioner, variant, rows in split_by_set(study.captions)
    }


def join_content_scores(study: Study, content: ContentScores) -> pd.DataFrame:
    """Give every caption its content-based scores: captioner, variant, item_id, and a column per metric."""
    table = study.captions.rename(columns={"finished": "finished_share"})
    return table.merge(content.scores, on=["item_id", "caption"]).drop(columns="caption")


def summarize(table: pd.DataFrame, scores: Scores) -> dict[str, Any]:
    """Build metrics/captions.json: captioner -> variant -> metric -> value; the ceiling has no variants.

    Args:
        table: a row per item, captioner and variant, a column per content-based metric.
        scores: the reference-based scores.
    """
    metrics: dict[str, Any] = {}
    for captioner, variant, rows in split_by_set(table):
        values: dict[str, float] = dict(scores.corpus[f"{captioner} {variant}"])
        values |= {str(metric): float(mean) for metric, mean in rows[_metrics(table)].mean().dropna().items()}
        values |= {metric: values.pop(metric) for metric in LAST if metric in values}  # moves them to the end
        values["items"] = len(rows)
        if captioner == CEILING:
            metrics[CEILING] = values
        else:
            metrics.setdefault(captioner, {})[variant] = values
    return metrics


def list_values(table: pd.DataFrame, scores: Scores) -> pd.DataFrame:
    """Build data/scores/captions.parquet: item_id, captioner, variant, metric, value; a missing value has no row.

    Args:
        table: a row per item, captioner and variant, a column per content-based metric.
        scores: the reference-based scores.
    """
    parts = []
    for captioner, variant, rows in split_by_set(table):
        by_content = rows.melt("item_id", _metrics(table), var_name="metric", value_name="value")
        by_content = by_content.dropna(subset=["value"])
        by_reference = scores.items[scores.items["set"].eq(f"{captioner} {variant}")]
        both = pd.concat([by_reference, by_content]).sort_values(["item_id", "metric"])
        parts.append(both.assign(captioner=captioner, variant=variant))
    return pd.concat(parts, ignore_index=True)[["item_id", "captioner", "variant", "metric", "value"]]


def list_left_out(table: pd.DataFrame) -> list[str]:
    """Write a line per metric that some captions have no value in, with their number by set and the reason."""
    notes = []
    for metric, reason in LEFT_OUT.items():
        if metric in table:
            missing = [
                (captioner if captioner == variant else f"{captioner} {variant}", rows[metric].isna().sum())
                for captioner, variant, rows in split_by_set(table)
            ]
            counts = [f"{name} {count}" for name, count in missing if count]
            notes += [f"{metric}: left out where {reason}: {', '.join(counts)}"] if counts else []
    return notes


def describe(metrics: dict[str, Any]) -> str:
    """Write the key figures of metrics/captions.json in one line."""
    parts = [
        f"{name} {values['pt']['bleu_4']:.3f} -> {values['ft']['bleu_4']:.3f}"
        for name, values in metrics.items()
        if name != CEILING
    ]
    if CEILING in metrics:
        parts.append(f"ceiling {metrics[CEILING]['bleu_4']:.3f}")
    return "BLEU-4 pt -> ft: " + ", ".join(parts)


def _metrics(table: pd.DataFrame) -> list[str]:
    return [name for name in table.columns if name not in KEYS]
