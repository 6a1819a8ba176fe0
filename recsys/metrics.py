"""Metrics of ranked lists, per user; a mean is one line on top. All in float64, fractions, definitions as Elliot codes them.

A list is a row of items (n_users, depth), best first, `NONE` (−1) where it is shorter. `relevant` is (n_users, n_items) CSR:
an entry is the gain of a relevant item (1 for a purchase). A user without a relevant item has NaN: leave it out and count it.
With hits h(n) = relevant items among the first n, m = relevant items of the user:

- precision@k = h(k) / k, whatever the list's length; recall@k = h(k) / m; hit_rate@k = 1 if h(k) > 0 else 0
- ndcg@k = Σ gain(n) / log2(n + 1) over the same sum of the min(m, k) largest gains of the user, reachable or not
- map_elliot@k = mean over n = 1..k of h(n) / n: what Elliot calls MAP and the study reports; not average precision
- map@k = average precision: Σ over hits at n of h(n) / n, divided by min(m, k); the MAP@12 of H&M's competition
- coverage@k = different items in the lists of all users / candidates (a figure of a run, not of a user)

An item that is twice in a list counts twice, as in Elliot; our own lists have none.
"""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp


def per_user(lists: np.ndarray, relevant: sp.csr_matrix, cutoffs: Sequence[int]) -> dict[str, np.ndarray]:
    """Every metric at every cutoff: `ndcg_5` … → (n_users,) float64, NaN for users without a relevant item.

    Args:
        lists: (n_users, depth) item columns of `relevant`, −1 for none.
        relevant: (n_users, n_items) gains.
    """
    gains = listed_gains(lists, relevant)
    hits = gains > 0
    ideal = ideal_gains(relevant, max(cutoffs))
    m = np.diff(relevant.indptr).astype(np.float64)
    m[m == 0] = np.nan
    values = {}
    for k in cutoffs:
        values[f"ndcg_{k}"] = ndcg(gains, ideal, k)
        values[f"map_elliot_{k}"] = map_elliot(hits, m, k)
        values[f"map_{k}"] = average_precision(hits, m, k)
        values[f"recall_{k}"] = hits[:, :k].sum(1) / m
        values[f"precision_{k}"] = hits[:, :k].sum(1) / k + 0 * m
        values[f"hit_rate_{k}"] = hits[:, :k].any(1) + 0 * m
    return values


def listed_gains(lists: np.ndarray, relevant: sp.csr_matrix) -> np.ndarray:
    """The gain of each listed item, 0 where it is not relevant: (n_users, depth) float64."""
    n_items = relevant.shape[1]
    owner = np.repeat(np.arange(relevant.shape[0], dtype=np.int64), np.diff(relevant.indptr))
    known = np.append(
        owner * n_items + relevant.indices, np.iinfo(np.int64).max
    )  # ascending, as CSR indices are sorted
    gain = np.append(relevant.data.astype(np.float64), 0.0)
    wanted = np.where(lists < 0, np.int64(-1), np.arange(len(lists), dtype=np.int64)[:, None] * n_items + lists)
    place = np.searchsorted(known, wanted)
    return np.where(known[place] == wanted, gain[place], 0.0)


def ideal_gains(relevant: sp.csr_matrix, depth: int) -> np.ndarray:
    """The largest gains of each user, descending, 0 where there are fewer: (n_users, depth) float64."""
    counts = np.diff(relevant.indptr)
    owner = np.repeat(np.arange(relevant.shape[0]), counts)
    order = np.lexsort((-relevant.data, owner))
    place = np.arange(relevant.nnz) - np.repeat(relevant.indptr[:-1], counts)
    ideal = np.zeros((relevant.shape[0], depth))
    kept = place < depth
    ideal[owner[kept], place[kept]] = relevant.data[order][kept]
    return ideal


def ndcg(gains: np.ndarray, ideal: np.ndarray, k: int) -> np.ndarray:
    discount = 1 / np.log2(np.arange(ideal.shape[1]) + 2)
    best = ideal[:, :k] @ discount[:k]
    reached = gains[:, :k] @ discount[: min(k, gains.shape[1])]
    return np.divide(reached, best, out=np.full(len(best), np.nan), where=best > 0)


def map_elliot(hits: np.ndarray, m: np.ndarray, k: int) -> np.ndarray:
    """Mean of precision@1..k. `m` only says who has a relevant item (NaN if not)."""
    so_far = np.cumsum(_pad(hits, k), axis=1)  # (n_users, k)
    return (so_far / np.arange(1, k + 1)).mean(1) + 0 * m


def average_precision(hits: np.ndarray, m: np.ndarray, k: int) -> np.ndarray:
    so_far = np.cumsum(_pad(hits, k), axis=1)
    return (so_far / np.arange(1, k + 1) * _pad(hits, k)).sum(1) / np.minimum(m, k)


def coverage(lists: np.ndarray, n_candidates: int, k: int) -> float:
    listed = lists[:, :k]
    return len(np.unique(listed[listed >= 0])) / n_candidates


def _pad(hits: np.ndarray, k: int) -> np.ndarray:
    return np.pad(hits[:, :k], ((0, 0), (0, max(0, k - hits.shape[1]))))
