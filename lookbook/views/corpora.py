"""Scores of many garments together, from the sums of statistics: BLEU, METEOR and the ratio of lengths.

They are no means of the scores of single garments. The stage `compare` computes them in the same way.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from lookbook.comparison.captions import BLEU, METEOR, list_corpus_metrics
from lookbook.comparison.significance import CorpusMetric, Estimate, paired_corpora

STATISTICS = [*BLEU, *METEOR]

ReadScores = Callable[[Sequence[str]], dict[str, pl.DataFrame]]  # names -> those that a set has: item_id and value


class Corpora(NamedTuple):
    """What a score of two sets of captions is computed from.

    Attributes:
        formula: Sums of statistics (draws, k) -> scores (draws,).
        a: item_id, and a column per statistic of each caption of the first set.
        b: The same of the second set.
    """

    formula: CorpusMetric
    a: pl.DataFrame
    b: pl.DataFrame


def read_corpora(metric: str, a: ReadScores, b: ReadScores | None) -> Corpora | None:
    """Read the statistics of a score; None where it is a mean of single garments, or the statistics are not there.

    Args:
        metric: The score.
        a: Reads the scores of the first set.
        b: Reads those of the second; None: it has no score, which counts as 0.
    """
    metrics = list_corpus_metrics(STATISTICS)
    if metric not in metrics:
        return None
    places, formula = metrics[metric]
    names = [STATISTICS[place] for place in places]
    tables = [_join_statistics(read(names), names) for read in (a, b) if read]
    if any(table.is_empty() for table in tables):
        return None
    if b is None:
        nothing = tables[0].with_columns(pl.lit(0.0).alias(name) for name in names)
        return Corpora(_score_nothing_as_zero(formula), tables[0], nothing)
    return Corpora(formula, *tables)


def _join_statistics(scores: dict[str, pl.DataFrame], names: Sequence[str]) -> pl.DataFrame:
    """Return item_id and a column per statistic; empty where one is missing."""
    if not all(name in scores for name in names):
        return pl.DataFrame()
    return pl.concat([scores[name].rename({"value": name}) for name in names], how="align")


def _score_nothing_as_zero(formula: CorpusMetric) -> CorpusMetric:
    def score(sums: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(sums.any(axis=1), formula(sums), 0.0)

    return score


def estimate_corpora(corpora: Corpora, items: pl.DataFrame, groups: np.ndarray, draws: int) -> Estimate:
    """Estimate the difference of the score on some garments.

    Args:
        corpora: Of `read_corpora`.
        items: Garments that both sets have: item_id.
        groups: The product of each, which is resampled whole.
        draws: The number of bootstrap draws.
    """
    a, b = (
        items.select("item_id").join(table, on="item_id", how="left", maintain_order="left").drop("item_id").to_numpy()
        for table in (corpora.a, corpora.b)
    )
    [(_, _, estimate)] = paired_corpora(a, b, groups, [(range(a.shape[1]), corpora.formula)], draws, seed=0)
    return estimate
