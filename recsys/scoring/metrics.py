"""Metrics of ranked lists, per user; a mean is one line on top. All in float64, fractions, definitions as Elliot codes them.

A list is a row of items (n_users, depth), best first, `NONE` (−1) where it is shorter. `relevant` is (n_users, n_items) CSR:
an entry is the gain of a relevant item (1 for a purchase). A user without a relevant item has NaN: leave it out and count it.
With hits h(n) = relevant items among the first n, m = relevant items of the user:

- precision@k = h(k) / k, whatever the list's length; recall@k = h(k) / m; hit_rate@k = 1 if h(k) > 0 else 0
- ndcg@k = Σ gain(n) / log2(n + 1) over the same sum of the min(m, k) largest gains of the user, reachable or not
- map_elliot@k = mean over n = 1..k of h(n) / n: what Elliot calls MAP and the study reports; not average precision
- map@k = average precision: Σ over hits at n of h(n) / n, divided by min(m, k); the MAP@12 of H&M's competition

An item that is twice in a list counts twice, as in Elliot; our own lists have none.

Beyond accuracy, with b(i) = train users who bought item i (`buyers`). Per user, NaN for an empty list:

- novelty@k = mean of −log2(b(i) / users) over the listed items, in bits (Vargas and Castells 2011, EFD without discount)
- popularity@k = mean of b(i) over the listed items (Elliot's ARP)
- long_tail@k = share of the listed items that are in the long tail (Abdollahpouri 2019, APLT): outside the fifth of
  the candidates that most users bought

Of a run:

- coverage@k = different items in the lists of all users / candidates
- gini@k = inequality of how often each candidate is listed: 0 all alike, towards 1 always the same (Elliot's is 1 − this)
- popularity_lift@k = mean popularity of the lists / mean popularity of what the users bought − 1: 0 is no popularity bias
"""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

SHORT_HEAD = 0.2  # share of the candidates
BLOCK = 65_536  # users scored at once


def per_user(lists: np.ndarray, relevant: sp.csr_matrix, cutoffs: Sequence[int]) -> dict[str, np.ndarray]:
    """Every metric at every cutoff: `ndcg_5` … → (n_users,) float64, NaN for users without a relevant item.

    Args:
        lists: (n_users, depth) item columns of `relevant`, −1 for none.
        relevant: (n_users, n_items) gains.
    """
    values: dict[str, np.ndarray] = {}
    for start in range(0, max(1, len(lists)), BLOCK):
        block = slice(start, start + BLOCK)
        for name, part in _block(lists[block], relevant[block], cutoffs).items():
            values.setdefault(name, np.empty(len(lists)))[block] = part
    return values


def _block(lists: np.ndarray, relevant: sp.csr_matrix, cutoffs: Sequence[int]) -> dict[str, np.ndarray]:
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
    return np.count_nonzero(_times_listed(lists, k)) / n_candidates


def gini(lists: np.ndarray, n_candidates: int, k: int) -> float:
    """0 where nothing is listed."""
    times = _times_listed(lists, k)
    times = np.sort(times[times > 0]).astype(np.float64)
    if not len(times):
        return 0.0
    place = np.arange(n_candidates - len(times) + 1, n_candidates + 1)  # never listed: the first places, adding nothing
    return float(((2 * place - n_candidates - 1) * times).sum() / (n_candidates * times.sum()))


def novelty(lists: np.ndarray, buyers: np.ndarray, n_users: int, k: int) -> np.ndarray:
    """(n_users,) bits. Args: buyers: (n_items,) train users of each item, 1 or more for whatever is listed."""
    return _mean_listed(lists, -np.log2(np.maximum(buyers, 1) / n_users), k)


def popularity(lists: np.ndarray, buyers: np.ndarray, k: int) -> np.ndarray:
    """(n_users,) train users of the listed items."""
    return _mean_listed(lists, buyers, k)


def long_tail(lists: np.ndarray, buyers: np.ndarray, k: int) -> np.ndarray:
    """(n_users,) share of the listed items. Args: buyers: (n_items,), 0 for what is no candidate."""
    candidates = np.flatnonzero(buyers)
    by_fame = candidates[np.argsort(-buyers[candidates], kind="stable")]  # ties: the lower index first
    in_tail = np.zeros(len(buyers), dtype=bool)
    in_tail[by_fame[round(SHORT_HEAD * len(by_fame)) :]] = True
    return _mean_listed(lists, in_tail, k)


def popularity_lift(lists: np.ndarray, train: sp.csr_matrix, k: int) -> float:
    """NaN where no user has a list. Args: train: (n_users, n_items) binary, the columns that `lists` names."""
    buyers = np.bincount(train.indices, minlength=train.shape[1])
    listed = popularity(lists, buyers, k)
    bought = np.diff(train.indptr)
    chosen = ~np.isnan(listed) & (bought > 0)
    if not chosen.any():
        return float("nan")
    own = (train @ buyers)[chosen] / bought[chosen]
    return float(listed[chosen].mean() / own.mean() - 1)


def _times_listed(lists: np.ndarray, k: int) -> np.ndarray:
    listed = lists[:, :k]
    return np.bincount(listed[listed >= 0])


def _mean_listed(lists: np.ndarray, value: np.ndarray, k: int) -> np.ndarray:
    """The mean of a value over the items of each list: (n_users,) float64, NaN for an empty one."""
    means = np.empty(len(lists))
    for start in range(0, max(1, len(lists)), BLOCK):
        listed = lists[start : start + BLOCK, :k]
        there = listed >= 0
        counts = there.sum(1).astype(np.float64)
        counts[counts == 0] = np.nan
        means[start : start + BLOCK] = (np.where(there, value[listed], 0).sum(1)) / counts
    return means


def _pad(hits: np.ndarray, k: int) -> np.ndarray:
    return np.pad(hits[:, :k], ((0, 0), (0, max(0, k - hits.shape[1]))))
