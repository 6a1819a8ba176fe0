"""Compare two sets of captions of the same items: a row per metric with interval, p, wins and losses."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from captioning.scores import bleu, meteor
from catalogue.prepared.items import read_items
from lookbook.comparison import significance
from lookbook.comparison.rows import Row
from pipeline.core.errors import UserError
from pipeline.core.outputs import read_parquet

BLEU = list(bleu.STATISTICS)
METEOR = list(meteor.STATISTICS)
STATISTICS = {*BLEU, *METEOR}


def compare_captioners(scores: Path, items: Path, captioners: Iterable[str], draws: int, seed: int) -> list[Row]:
    """Compare the fine-tuned with the pre-trained captions of each captioner by resampling groups of items.

    Args:
        scores: A Parquet file of one row per item, captioner, variant and metric.
        items: A Parquet file with the group of every item.
        captioners: The captioners to compare, in the order of the rows.
        draws: The number of bootstrap draws.
        seed: The seed of the draws.

    Returns:
        A row per captioner and metric: fine-tuned (a) minus pre-trained (b).

    Raises:
        UserError: A captioner has no scores, or its two variants have scores of different items.
    """
    table = read_parquet(scores)
    group_of = read_items(items, ["item_id", "group"]).set_index("item_id")["group"]
    rows: list[Row] = []
    for captioner in captioners:
        ft, pt = (_pivot_scores(table, scores, captioner, variant) for variant in ("ft", "pt"))
        if not ft.index.equals(pt.index):
            raise UserError(f"{scores}: {captioner}: the items of pt and ft differ; run `dvc repro caption_score`")
        rows += _captioner_rows(captioner, ft, pt, group_of.reindex(ft.index).to_numpy(), draws, seed)
    return rows


def _pivot_scores(table: pd.DataFrame, path: Path, captioner: str, variant: str) -> pd.DataFrame:
    """Return a row per item (sorted) and a column per metric; NaN where an item has no score."""
    scores = table[(table["captioner"] == captioner) & (table["variant"] == variant)]
    if scores.empty:
        raise UserError(f"{path}: no rows for {captioner}, {variant}; run `dvc repro caption_score`")
    return scores.pivot(index="item_id", columns="metric", values="value").sort_index()


def _captioner_rows(
    captioner: str, ft: pd.DataFrame, pt: pd.DataFrame, groups: np.ndarray, draws: int, seed: int
) -> Iterator[Row]:
    """Confirmatory are CIDEr and core precision; attribute precision where the true attributes are unknown."""
    precision = "core_precision" if "core_precision" in ft and "core_precision" in pt else "attribute_precision"
    for row in compare_metrics(ft, pt, groups, draws, seed):
        names = {"table": "captions", "captioner": captioner, "metric": row["metric"], "a": "ft", "b": "pt"}
        yield names | row | {"confirmatory": row["metric"] in {"cider", precision}}


def compare_metrics(a: pd.DataFrame, b: pd.DataFrame, groups: np.ndarray, draws: int, seed: int) -> Iterator[Row]:
    """Compare two sets of captions on every metric that both have, by resampling groups of items.

    Args:
        a: A row per item; a column per metric and per statistic of corpus BLEU and METEOR; NaN where an item has no
            score.
        b: The same for the second set: the same items in the same order.
        groups: The group of every item: (n,).
        draws: The number of bootstrap draws.
        seed: The seed of the draws.

    Returns:
        A row per metric: metric, mean_a, mean_b, difference (a - b), low, high, p, detectable, n, groups, wins, ties,
        losses. BLEU, METEOR and length_ratio are those of the corpus, recomputed in every draw; wins and losses are
        counted on single items.
    """
    metrics = [metric for metric in a.columns.intersection(b.columns) if metric not in STATISTICS]
    left, right = a[metrics].to_numpy(dtype=float), b[metrics].to_numpy(dtype=float)
    means = significance.paired_means(left, right, groups, draws, seed)
    corpus = compare_corpus_metrics(a, b, groups, draws, seed)
    for j, metric in enumerate(metrics):
        both = np.isfinite(left[:, j]) & np.isfinite(right[:, j])
        if not both.any():
            continue
        of_items = float(left[both, j].mean()), float(right[both, j].mean()), means[j]
        mean_a, mean_b, estimate = corpus.get(metric, of_items)
        wins, ties, losses = significance.wins_ties_losses(left[:, j], right[:, j])
        counts = {"n": int(both.sum()), "groups": len(np.unique(groups[both]))}
        counts |= {"wins": wins, "ties": ties, "losses": losses}
        yield {"metric": metric, "mean_a": mean_a, "mean_b": mean_b} | estimate._asdict() | counts


def compare_corpus_metrics(
    a: pd.DataFrame, b: pd.DataFrame, groups: np.ndarray, draws: int, seed: int
) -> dict[str, tuple[float, float, significance.Estimate]]:
    """Compare BLEU-1..4, METEOR and the length ratio of the whole corpus, from the sums of their statistics.

    See `compare_metrics` for the arguments.

    Returns:
        For each metric whose statistics both sets have: its value in a, its value in b, the estimate of a - b.
    """
    columns = [name for name in (*BLEU, *METEOR) if name in a and name in b]
    metrics = list_corpus_metrics(columns)
    if not metrics:
        return {}
    left, right = a[columns].to_numpy(dtype=float), b[columns].to_numpy(dtype=float)
    results = significance.paired_corpora(left, right, groups, list(metrics.values()), draws, seed)
    return dict(zip(metrics, results, strict=True))


def list_corpus_metrics(columns: Sequence[str]) -> dict[str, tuple[list[int], significance.CorpusMetric]]:
    """List the corpus metrics that these statistics make.

    Args:
        columns: The names of the statistics.

    Returns:
        For each metric the places of its statistics in `columns`, and its formula: sums (draws, k) -> (draws,).
    """
    formulas: dict[str, tuple[list[str], significance.CorpusMetric]] = {
        **{f"bleu_{order}": (BLEU, partial(_bleu_of_order, index)) for index, order in enumerate(bleu.ORDERS)},
        "meteor": (METEOR, meteor.meteor_from_statistics),
        "length_ratio": (BLEU[-2:], lambda sums: sums[:, 0] / sums[:, 1]),
    }
    places = {name: index for index, name in enumerate(columns)}
    return {
        name: ([places[statistic] for statistic in statistics], formula)
        for name, (statistics, formula) in formulas.items()
        if set(statistics) <= places.keys()
    }


def _bleu_of_order(index: int, sums: np.ndarray) -> np.ndarray:
    return bleu.bleu_from_statistics(sums)[..., index]
