"""The caption scores of garments, as data/scores/captions.parquet has them: which there are, of a set, of two sets."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import polars as pl

from lookbook.views.study import SCORES, Study, require_stage

NOT_OFFERED = ("bleu_correct_", "bleu_guess_", "meteor_statistic_")  # sufficient statistics
NO_SCORES = ("bleu_length", "bleu_reference_length")


@lru_cache(maxsize=8)
def _read_metrics(path: Path, version: int) -> tuple[str, ...]:
    names = pl.scan_parquet(path).select(pl.col("metric").cast(pl.String).unique()).collect()["metric"].to_list()
    return tuple(sorted(name for name in names if not name.startswith(NOT_OFFERED) and name not in NO_SCORES))


def list_metrics(study: Study) -> list[str]:
    """List the caption scores of a garment; empty before caption_score. Sufficient statistics are no scores."""
    if not study.has(SCORES):
        return []
    path = study.root / SCORES
    return list(_read_metrics(path, path.stat().st_mtime_ns))


def choose_metric(metrics: Sequence[str]) -> str:
    """Choose the score that is shown first: CIDEr, otherwise the first there is."""
    return "cider" if "cider" in metrics else next(iter(metrics), "")


def read_scores(study: Study, captioner: str, variant: str, metric: str) -> pl.LazyFrame:
    """Return item_id and value of a score of a set."""
    return (
        pl.scan_parquet(require_stage(study, SCORES))
        .filter(pl.col("captioner") == captioner, pl.col("variant") == variant, pl.col("metric") == metric)
        .select("item_id", "value")
    )


def read_differences(study: Study, a: tuple[str, str], b: tuple[str, str], metric: str) -> pl.DataFrame:
    """Return item_id, a, b and difference (a − b) of the garments that both sets have a score of."""
    left, right = (read_scores(study, *one, metric) for one in (a, b))
    both = left.rename({"value": "a"}).join(right.rename({"value": "b"}), on="item_id")
    return both.with_columns(difference=pl.col("a") - pl.col("b")).collect()
