"""Which caption score agrees with people: how often it prefers the caption that a rater prefers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from captioning.scores import bleu, meteor
from lookbook.comparison.significance import TINY, paired_means
from lookbook.ratings.rounds import Round, split_arm

CHANCE = 0.5
STATISTICS = {*bleu.STATISTICS, *meteor.STATISTICS}  # what corpus scores are made of


def compare_scores(
    own: Round, judgements: pd.DataFrame, scores: pd.DataFrame, draws: int, seed: int
) -> dict[str, dict[str, Any]]:
    """Estimate for each score the share of decided judgements in which it prefers the same caption.

    A score that is equal for both captions agrees by half. Intervals come from resampling products.

    Args:
        own: The round.
        judgements: Decided judgements: item_id, group, pair, value (1 or -1).
        scores: data/scores/captions.parquet: item_id, captioner, variant, metric, value.
        draws: The number of bootstrap draws.
        seed: The seed of the draws.

    Returns:
        Score -> share, low, high, judgements, equal (those in which the score is equal for both captions); a score
        that no judged pair has is absent.
    """
    metrics = [name for name in dict.fromkeys(scores["metric"].astype(str)) if name not in STATISTICS]
    if judgements.empty or not metrics:
        return {}
    first, second = (_look_up(own, judgements, scores, side, metrics) for side in (0, 1))
    difference = first - second
    scale = np.maximum(np.abs(first), np.abs(second))
    sign = np.where(np.abs(difference) <= TINY * scale, 0.0, np.sign(difference))
    agree = np.where(np.isnan(difference), np.nan, CHANCE + sign * judgements["value"].to_numpy()[:, None] / 2)
    with_values = np.flatnonzero(np.isfinite(agree).any(axis=0))
    agree, metrics = agree[:, with_values], [metrics[index] for index in with_values]
    if not metrics:
        return {}
    estimates = paired_means(agree, np.full_like(agree, CHANCE), judgements["group"].to_numpy(), draws, seed)
    return {
        metric: {
            "share": estimate.difference + CHANCE,
            "low": estimate.low + CHANCE,
            "high": estimate.high + CHANCE,
            "judgements": int(np.isfinite(column).sum()),
            "equal": int((column == CHANCE).sum()),
        }
        for metric, estimate, column in zip(metrics, estimates, agree.T, strict=True)
    }


def _look_up(
    own: Round, judgements: pd.DataFrame, scores: pd.DataFrame, side: int, metrics: Sequence[str]
) -> np.ndarray:
    """Return the scores of one caption of each judged pair; NaN where there is none: (n_judgements, n_metrics)."""
    arms = [split_arm(own.pairs[pair][side]) for pair in judgements["pair"]]
    keys = pd.MultiIndex.from_tuples(
        [(item, *arm) for item, arm in zip(judgements["item_id"], arms, strict=True)],
        names=["item_id", "captioner", "variant"],
    )
    wanted = scores[scores["item_id"].isin(judgements["item_id"]) & scores["metric"].isin(metrics)]
    wanted = wanted.astype({"captioner": str, "variant": str, "metric": str})
    table = wanted.pivot(index=["item_id", "captioner", "variant"], columns="metric", values="value")
    return table.reindex(index=keys, columns=list(metrics)).to_numpy(dtype=float)
