"""Which of two files of lists is better? NDCG of the users that both have, with intervals over users and items."""

from collections.abc import Sequence

import numpy as np

from lookbook.comparison.clusters import estimate_difference
from lookbook.comparison.contributions import Hits, compare_hits
from lookbook.comparison.correction import holm
from lookbook.comparison.rows import Row
from pipeline.core.errors import UserError
from recsys.interchange.evaluate import Evaluation
from recsys.scoring.contributions import find_hits


def compare_lists(a: Evaluation, b: Evaluation, cutoffs: Sequence[int], margin: float | None = None) -> list[Row]:
    """Compare two files of lists for the same purchases by NDCG, a row for each cutoff.

    A list's hits on one item, and one user's hits, are not independent: the interval is over both
    (`lookbook.comparison.clusters`). p is corrected by Holm over the cutoffs.

    Args:
        a: The first file.
        b: The second file, evaluated on the same purchases.
        cutoffs: How many items of a list count.
        margin: A difference that would not matter; `within_margin` says whether the interval lies within it.

    Raises:
        UserError: No user has a list in both.
    """
    rows, of_a, of_b = np.intersect1d(a.rows, b.rows, assume_unique=True, return_indices=True)
    if not len(rows):
        raise UserError("no user with test purchases has a list in both files; a comparison needs the same users")
    n_relevant = len(np.unique(a.relevant[of_a].indices))
    n_items = max(a.relevant.shape[1], b.relevant.shape[1])
    results: list[Row] = []
    for k in cutoffs:
        hits = _find_hits(a, of_a, k), _find_hits(b, of_b, k)
        found = compare_hits(hits[0], hits[1], [(0, 0)], np.arange(n_items), len(rows), n_relevant)
        means = [float(own.contribution.sum() / len(rows)) for own in hits]
        row: Row = {"metric": f"ndcg_{k}", "users": len(rows), "mean_a": means[0], "mean_b": means[1]}
        facts = {"items": n_relevant, "hit_items": found.facts["hit_items"], "top10_share": found.facts["top10_share"]}
        results.append(row | estimate_difference(found.differences)._asdict() | facts)
    for row, p in zip(results, holm([row["p"] for row in results]), strict=True):
        row["p_holm"] = p
        if margin is not None:
            row["within_margin"] = bool(-margin <= row["low"] and row["high"] <= margin)
    return results


def _find_hits(evaluation: Evaluation, users: np.ndarray, k: int) -> Hits:
    hits = find_hits(evaluation.lists[users], evaluation.relevant[users], k)
    return Hits(np.zeros(len(hits.row), dtype=np.int64), hits.row, hits.item, hits.contribution)
