"""Metrics of ranked lists, per user: fractions in float64, defined as Elliot computes them.

A list is a row of items (n_users, depth), best first, −1 where it is shorter. `relevant` is (n_users, n_items) CSR: an
entry is the gain of a relevant item (1 for a purchase). A user without a relevant item has NaN: leave the user out of
means, and count how many there are. With h(n) = relevant items among the first n of a list, and n_relevant = relevant
items of the user:

- precision@k = h(k) / k, whether or not the list has k items; recall@k = h(k) / n_relevant;
  hit_rate@k = 1 if h(k) > 0 else 0
- ndcg@k = Σ gain(n) / log2(n + 1) over the same sum of the min(n_relevant, k) largest gains of the user, whether or not
  a list can reach them (Järvelin and Kekäläinen 2002)
- map_elliot@k = mean over n = 1..k of h(n) / n: what Elliot calls MAP and the study reports; not average precision
- map@k = average precision: Σ over hits at n of h(n) / n, divided by min(n_relevant, k); MAP@12 of H&M's competition

An item that is twice in a list counts twice, as in Elliot; our own lists have none.

Beyond accuracy, with b(i) = train users who bought item i (`buyers`). Per user, NaN for an empty list:

- novelty@k = mean of −log2(b(i) / n_users) over the listed items, in bits (Vargas and Castells 2011, EFD without
  discount)
- popularity@k = mean of b(i) over the listed items (Elliot's ARP)
- long_tail@k = share of the listed items that are in the long tail (Abdollahpouri 2019, APLT): outside the fifth of
  the candidates that most users bought

Of a run:

- coverage@k = different items in the lists of all users / candidates
- gini@k = inequality of how often each candidate is listed: 0 where all are listed alike, towards 1 where always the
  same (Elliot's is 1 − this)
- popularity_lift@k = mean popularity of the lists / mean popularity of what the users bought − 1: 0 is no popularity
  bias
"""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

SHORT_HEAD = 0.2  # share of the candidates
BLOCK = 65_536  # users scored at once


def compute_metrics(lists: np.ndarray, relevant: sp.csr_matrix, cutoffs: Sequence[int]) -> dict[str, np.ndarray]:
    """Compute every accuracy metric at every cutoff: `ndcg_5` … → (n_users,) float64, NaN without a relevant item.

    The first of three users has item 0 at rank 2, the second no relevant item, the third an empty list:

    >>> lists = np.array([[3, 0], [1, 2], [-1, -1]])
    >>> relevant = sp.csr_matrix(np.array([[1, 0, 0, 0], [0, 0, 0, 0], [0, 1, 1, 0]]))
    >>> metrics = compute_metrics(lists, relevant, [2])
    >>> list(metrics)
    ['ndcg_2', 'map_elliot_2', 'map_2', 'recall_2', 'precision_2', 'hit_rate_2']
    >>> metrics["ndcg_2"].round(4).tolist()
    [0.6309, nan, 0.0]
    >>> metrics["recall_2"].tolist()
    [1.0, nan, 0.0]

    Args:
        lists: (n_users, depth) item columns of `relevant`, −1 for none.
        relevant: (n_users, n_items) gains.
        cutoffs: How many items of a list count.
    """
    values: dict[str, np.ndarray] = {}
    for start in range(0, max(1, len(lists)), BLOCK):
        block = slice(start, start + BLOCK)
        for name, part in _compute_block(lists[block], relevant[block], cutoffs).items():
            values.setdefault(name, np.empty(len(lists)))[block] = part
    return values


def _compute_block(lists: np.ndarray, relevant: sp.csr_matrix, cutoffs: Sequence[int]) -> dict[str, np.ndarray]:
    gains = listed_gains(lists, relevant)
    hits = gains > 0
    ideal = ideal_gains(relevant, max(cutoffs))
    n_relevant = np.diff(relevant.indptr).astype(np.float64)
    n_relevant[n_relevant == 0] = np.nan
    values = {}
    for k in cutoffs:
        values[f"ndcg_{k}"] = ndcg(gains, ideal, k)
        values[f"map_elliot_{k}"] = map_elliot(hits, n_relevant, k)
        values[f"map_{k}"] = average_precision(hits, n_relevant, k)
        values[f"recall_{k}"] = hits[:, :k].sum(1) / n_relevant
        values[f"precision_{k}"] = hits[:, :k].sum(1) / k + 0 * n_relevant
        values[f"hit_rate_{k}"] = hits[:, :k].any(1) + 0 * n_relevant
    return values


def listed_gains(lists: np.ndarray, relevant: sp.csr_matrix) -> np.ndarray:
    """Return the gain of each listed item, 0 where it is not relevant: (n_users, depth) float64."""
    n_items = relevant.shape[1]
    owner = np.repeat(np.arange(relevant.shape[0], dtype=np.int64), np.diff(relevant.indptr))
    keys = np.append(owner * n_items + relevant.indices, np.iinfo(np.int64).max)  # ascending, as CSR indices are sorted
    gain = np.append(relevant.data.astype(np.float64), 0.0)
    listed = np.where(lists < 0, np.int64(-1), np.arange(len(lists), dtype=np.int64)[:, None] * n_items + lists)
    index = np.searchsorted(keys, listed)
    return np.where(keys[index] == listed, gain[index], 0.0)


def ideal_gains(relevant: sp.csr_matrix, depth: int) -> np.ndarray:
    """Return the largest gains of each user, descending, 0 where there are fewer: (n_users, depth) float64."""
    counts = np.diff(relevant.indptr)
    owner = np.repeat(np.arange(relevant.shape[0]), counts)
    order = np.lexsort((-relevant.data, owner))
    rank = np.arange(relevant.nnz) - np.repeat(relevant.indptr[:-1], counts)
    ideal = np.zeros((relevant.shape[0], depth))
    within = rank < depth
    ideal[owner[within], rank[within]] = relevant.data[order][within]
    return ideal


def ndcg(gains: np.ndarray, ideal: np.ndarray, k: int) -> np.ndarray:
    """Divide the discounted gain of the first k items by that of the ideal list, NaN where the user has none.

    One hit at rank 2 of two relevant items, (1 / log2 3) / (1 + 1 / log2 3):

    >>> ndcg(np.array([[0, 1.0]]), np.array([[1.0, 1.0]]), 2).round(4).tolist()
    [0.3869]

    Args:
        gains: (n_users, depth), see `listed_gains`.
        ideal: (n_users, at least k), see `ideal_gains`.
        k: The cutoff.
    """
    discount = 1 / np.log2(np.arange(ideal.shape[1]) + 2)
    best = ideal[:, :k] @ discount[:k]
    reached = gains[:, :k] @ discount[: min(k, gains.shape[1])]
    return np.divide(reached, best, out=np.full(len(best), np.nan), where=best > 0)


def map_elliot(hits: np.ndarray, n_relevant: np.ndarray, k: int) -> np.ndarray:
    """Average precision@1 to precision@k, as Elliot's MAP does; the divider is k.

    >>> map_elliot(np.array([[True, False]]), np.array([1.0]), 2).tolist()
    [0.75]

    Args:
        hits: (n_users, depth) bool.
        n_relevant: (n_users,) relevant items, NaN where there are none; only NaN matters here.
        k: The cutoff.
    """
    hits_so_far = np.cumsum(_pad(hits, k), axis=1)  # (n_users, k)
    return (hits_so_far / np.arange(1, k + 1)).mean(1) + 0 * n_relevant


def average_precision(hits: np.ndarray, n_relevant: np.ndarray, k: int) -> np.ndarray:
    """Sum precision@n over the ranks n of hits, divided by min(n_relevant, k).

    >>> average_precision(np.array([[True, False, True]]), np.array([2.0]), 3).round(4).tolist()
    [0.8333]

    Args:
        hits: (n_users, depth) bool.
        n_relevant: (n_users,) relevant items, NaN where there are none.
        k: The cutoff.
    """
    hits_so_far = np.cumsum(_pad(hits, k), axis=1)
    return (hits_so_far / np.arange(1, k + 1) * _pad(hits, k)).sum(1) / np.minimum(n_relevant, k)


def coverage(lists: np.ndarray, n_candidates: int, k: int) -> float:
    """Return the share of the candidates that are in the first k items of any list.

    >>> coverage(np.array([[1, 2], [2, 3]]), 10, 2)
    0.3
    """
    return float(np.count_nonzero(_count_listed(lists, k)) / n_candidates)


def gini(lists: np.ndarray, n_candidates: int, k: int) -> float:
    """Return the Gini coefficient of how often each candidate is listed; 0 where nothing is listed.

    Two of four candidates are listed equally often, the others never:

    >>> gini(np.array([[0, 1], [0, 1]]), 4, 2)
    0.5
    """
    times = _count_listed(lists, k)
    times = np.sort(times[times > 0]).astype(np.float64)
    if not len(times):
        return 0.0
    rank = np.arange(n_candidates - len(times) + 1, n_candidates + 1)  # those never listed come first and add nothing
    return float(((2 * rank - n_candidates - 1) * times).sum() / (n_candidates * times.sum()))


def novelty(lists: np.ndarray, buyers: np.ndarray, n_users: int, k: int) -> np.ndarray:
    """Average −log2 of the share of users who bought each of the first k items: (n_users,) bits.

    All of four users bought item 0, two bought item 1:

    >>> novelty(np.array([[0, 1]]), np.array([4, 2]), 4, 2).tolist()
    [0.5]

    Args:
        lists: (n_users, depth) items, −1 for none.
        buyers: (n_items,) train users of each item, 1 or more for every listed one.
        n_users: Train users.
        k: The cutoff.
    """
    return _average_listed(lists, -np.log2(np.maximum(buyers, 1) / n_users), k)


def popularity(lists: np.ndarray, buyers: np.ndarray, k: int) -> np.ndarray:
    """Average the number of train users of each of the first k items: (n_users,).

    >>> popularity(np.array([[0, 1], [1, -1], [-1, -1]]), np.array([4, 2]), 2).tolist()
    [3.0, 2.0, nan]
    """
    return _average_listed(lists, buyers, k)


def long_tail(lists: np.ndarray, buyers: np.ndarray, k: int) -> np.ndarray:
    """Return the share of the first k items outside the fifth of the candidates with most buyers: (n_users,).

    The short head of five candidates is item 1:

    >>> long_tail(np.array([[1, 0], [2, 3]]), np.array([2, 9, 1, 1, 1]), 2).tolist()
    [0.5, 1.0]

    Args:
        lists: (n_users, depth) items, −1 for none.
        buyers: (n_items,) train users of each item, 0 where it is no candidate.
        k: The cutoff.
    """
    candidates = np.flatnonzero(buyers)
    by_buyers = candidates[np.argsort(-buyers[candidates], kind="stable")]  # ties: the lower index first
    in_tail = np.zeros(len(buyers), dtype=bool)
    in_tail[by_buyers[round(SHORT_HEAD * len(by_buyers)) :]] = True
    return _average_listed(lists, in_tail, k)


def popularity_lift(lists: np.ndarray, train: sp.csr_matrix, k: int) -> float:
    """Divide the mean popularity of the lists by that of what the users bought, minus 1; NaN where no user has a list.

    Both users bought item 0, one also item 1; both are shown item 0, which has 2 buyers against 1.75 on average:

    >>> round(popularity_lift(np.array([[0], [0]]), sp.csr_matrix(np.array([[1, 0], [1, 1]])), 1), 4)
    0.1429

    Args:
        lists: (n_users, depth) columns of `train`, −1 for none.
        train: (n_users, n_items) binary.
        k: The cutoff.
    """
    buyers = np.bincount(train.indices, minlength=train.shape[1])
    listed = popularity(lists, buyers, k)
    bought = np.diff(train.indptr)
    chosen = ~np.isnan(listed) & (bought > 0)
    if not chosen.any():
        return float("nan")
    own = (train @ buyers)[chosen] / bought[chosen]
    return float(listed[chosen].mean() / own.mean() - 1)


def _count_listed(lists: np.ndarray, k: int) -> np.ndarray:
    """How often each item is among the first k of a list: (at most n_items,)."""
    listed = lists[:, :k]
    return np.bincount(listed[listed >= 0])


def _average_listed(lists: np.ndarray, value: np.ndarray, k: int) -> np.ndarray:
    """The mean of a value over the first k items of each list: (n_users,) float64, NaN for an empty one."""
    means = np.empty(len(lists))
    for start in range(0, max(1, len(lists)), BLOCK):
        listed = lists[start : start + BLOCK, :k]
        filled = listed >= 0
        counts = filled.sum(1).astype(np.float64)
        counts[counts == 0] = np.nan
        means[start : start + BLOCK] = (np.where(filled, value[listed], 0).sum(1)) / counts
    return means


def _pad(hits: np.ndarray, k: int) -> np.ndarray:
    """The first k columns, with False where there are fewer."""
    return np.pad(hits[:, :k], ((0, 0), (0, max(0, k - hits.shape[1]))))
