"""Two sets of captions of the same items against one another: a row per metric with interval, p, wins and losses."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from captioning.scores import bleu, meteor
from lookbook.comparison import significance

BLEU, METEOR = list(bleu.STATISTICS), list(meteor.STATISTICS)
STATISTICS = {*BLEU, *METEOR}


def caption_differences(
    a: pd.DataFrame, b: pd.DataFrame, groups: np.ndarray, draws: int, seed: int
) -> Iterator[dict[str, Any]]:
    """A row per metric that both have: a minus b, groups of items resampled.

    Args:
        a, b: a row per item, the same items in the same order; a column per metric and per statistic behind corpus BLEU and
            METEOR; NaN where an item has no score.
        groups: the group of every item: (n,).

    Returns:
        metric, mean_a, mean_b, difference, low, high, p, detectable, n, groups, wins, ties, losses. BLEU, METEOR and
        length_ratio are those of the corpus, recomputed in every draw; wins and losses are counted on single items.
    """
    metrics = [metric for metric in a.columns.intersection(b.columns) if metric not in STATISTICS]
    left, right = a[metrics].to_numpy(dtype=float), b[metrics].to_numpy(dtype=float)
    means = significance.paired_means(left, right, groups, draws, seed)
    corpus = corpus_differences(a, b, groups, draws, seed)
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


def corpus_differences(
    a: pd.DataFrame, b: pd.DataFrame, groups: np.ndarray, draws: int, seed: int
) -> dict[str, tuple[float, float, significance.Estimate]]:
    """BLEU-1..4, METEOR and the length ratio of the whole corpus in every draw, from the sums of their statistics."""
    wanted: dict[str, tuple[list[str], significance.CorpusMetric]] = {
        **{f"bleu_{order}": (BLEU, partial(_bleu, place)) for place, order in enumerate(bleu.ORDERS)},
        "meteor": (METEOR, meteor.meteor_from_statistics),
        "length_ratio": (BLEU[-2:], lambda sums: sums[:, 0] / sums[:, 1]),
    }
    columns = [name for name in (*BLEU, *METEOR) if name in a and name in b]
    metrics = {
        name: ([columns.index(one) for one in needed], metric)
        for name, (needed, metric) in wanted.items()
        if set(needed) <= set(columns)
    }
    if not metrics:
        return {}
    left, right = a[columns].to_numpy(dtype=float), b[columns].to_numpy(dtype=float)
    found = significance.paired_corpora(left, right, groups, list(metrics.values()), draws, seed)
    return dict(zip(metrics, found, strict=True))


def _bleu(place: int, sums: np.ndarray) -> np.ndarray:
    return bleu.bleu_from_statistics(sums)[..., place]
