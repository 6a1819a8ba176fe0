"""The caption scores of garments, as data/scores/captions.parquet has them: which there are, of a set, of two sets."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import polars as pl

from lookbook.views.study import SCORES, Study, require_stage

NOT_OFFERED = ("bleu_correct_", "bleu_guess_", "meteor_statistic_")  # sufficient statistics
Scores = dict[tuple[str, str, str], pl.DataFrame]  # captioner, variant, score -> item_id, value
NOTHING = pl.DataFrame(schema={"item_id": pl.String, "value": pl.Float64})
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


def read_scores(study: Study, sets: Sequence[tuple[str, str]], metrics: Sequence[str]) -> Scores:
    """Read scores of sets of captions: (captioner, variant, score) -> item_id and value; absent where there are none.

    What a page shows is read once, in one pass over the file, and kept for the pages after it.

    Raises:
        UserError: The scores are not there.
    """
    path = require_stage(study, SCORES)
    return _read_values(path, path.stat().st_mtime_ns, tuple(sorted(set(sets))), tuple(sorted(set(metrics))))


@lru_cache(maxsize=4)
def _read_values(
    path: Path, version: int, sets: tuple[tuple[str, str], ...], metrics: tuple[str, ...]
) -> Scores:  # a new version is a new key
    keys = ["captioner", "variant", "metric"]
    wanted = [pl.col(key).cast(pl.String) for key in keys]
    is_wanted = (
        wanted[0].is_in([captioner for captioner, _ in sets])
        & wanted[1].is_in([variant for _, variant in sets])
        & wanted[2].is_in(list(metrics))
    )
    table = pl.scan_parquet(path).filter(is_wanted).with_columns(wanted).collect()
    parts = table.partition_by(keys, as_dict=True, include_key=False)
    return {(str(key[0]), str(key[1]), str(key[2])): part.select("item_id", "value") for key, part in parts.items()}


def read_differences(study: Study, a: tuple[str, str], b: tuple[str, str], metric: str) -> pl.DataFrame:
    """Return item_id, a, b and difference (a − b) of the garments that both sets have a score of."""
    scores = read_scores(study, (a, b), (metric,))
    return join_scores(*(scores.get((*one, metric), NOTHING) for one in (a, b)))


def join_scores(left: pl.DataFrame, right: pl.DataFrame) -> pl.DataFrame:
    """Join item_id and value of two sets as item_id, a, b and difference (a − b)."""
    both = left.rename({"value": "a"}).join(right.rename({"value": "b"}), on="item_id", maintain_order="left")
    return both.with_columns(difference=pl.col("a") - pl.col("b"))
