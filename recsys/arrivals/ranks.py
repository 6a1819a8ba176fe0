"""The rank of each relevant item among items that are dense vectors, without a list for anyone.

The items that score above a relevant one are counted, and only up to k. Most relevant items are far from the first k,
which a part of the items mostly shows: those that score highest on average come first, and whoever has k of them above
a relevant item needs no score of the others. The order is that of a list, score descending and then by item, so it
equals ranking everything (`recsys.ranking.recommend`). Items with equal vectors are scored once: they are ties in all
digits, whatever the order in which a product is added up.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from recsys.ranking.scorers import ItemFactors

BLOCK_SCORES = 2_000_000  # users × items scored at once: 8 MB, which stay in the processor's cache
FIRST = 8  # one of so many items is scored for everyone
FEW = 2_048  # so many items are scored for everyone
ROUNDING = 1e-5  # of a product's size: more than its float32 sum can be wrong


@dataclass(frozen=True)
class Distinct:
    """Items without repeats of the same vector and bias.

    Attributes:
        right: their vectors and, last, their biases: (width + 1, n_distinct) float32.
        sizes: how many items each stands for, (n_distinct,) float32; None: one each.
        row: the distinct item of each item, (n_items,).
        place: how many items of the same vector come before each item, (n_items,).
    """

    right: np.ndarray
    sizes: np.ndarray | None
    row: np.ndarray
    place: np.ndarray

    def score(self, user: np.ndarray) -> np.ndarray:
        """Score every distinct item for some users: (len(user), n_distinct)."""
        return add_ones(user) @ self.right


def rank_relevant(user: np.ndarray, items: ItemFactors, relevant: sp.csr_matrix, k: int) -> np.ndarray:
    """Find the rank of each user's relevant items among all items.

    Args:
        user: (n_users, width) float32.
        items: the candidates.
        relevant: (n_users, n_items).
        k: ranks from k on are not told apart.

    Returns:
        Ranks from 0 in the order of `relevant.indices`, k for those behind the first k: (relevant.nnz,) int64.
    """
    return rank_distinct(user, find_distinct(items), relevant, k)


def rank_distinct(user: np.ndarray, distinct: Distinct, relevant: sp.csr_matrix, k: int) -> np.ndarray:
    """Find the rank of each user's relevant items among all items; see `rank_relevant`.

    Raises:
        ValueError: a factor of a user is not finite.
    """
    if not np.isfinite(user).all():
        raise ValueError("a factor of a user is not finite")
    left, n = add_ones(user), distinct.right.shape[1]
    part = select_best(distinct, left.mean(axis=0))
    ranks = np.full(relevant.nnz, k, dtype=np.int64)
    rows = max(1, BLOCK_SCORES // n)
    for start in range(0, relevant.shape[0], rows):
        end = min(start + rows, relevant.shape[0])
        pairs = np.arange(relevant.indptr[start], relevant.indptr[end])
        owner = np.repeat(np.arange(start, end), np.diff(relevant.indptr[start : end + 1]))
        item = relevant.indices[pairs]
        if part.right.shape[1] < n and len(pairs):
            near = ~_are_far(left[start:end], distinct, part, owner - start, item, k)
            pairs, owner, item = pairs[near], owner[near], item[near]
        if len(pairs):
            ranks[pairs] = np.minimum(_rank(left, distinct, owner, item, k), k)
    return ranks


@dataclass(frozen=True)
class Part:
    """Some of the distinct items: `right` and `sizes` as in `Distinct`; `longest`: the length of the longest of all."""

    right: np.ndarray
    sizes: np.ndarray | None
    longest: float


def select_best(distinct: Distinct, user: np.ndarray) -> Part:
    """Select the items that score highest for a user: (width + 1,)."""
    n = distinct.right.shape[1]
    best = np.sort(np.argsort(-(user @ distinct.right), kind="stable")[: max(FEW, n // FIRST)])
    longest = float(np.sqrt(np.square(distinct.right).sum(axis=0).max()))
    sizes = None if distinct.sizes is None else distinct.sizes[best]
    return Part(np.ascontiguousarray(distinct.right[:, best]), sizes, longest)


def add_ones(user: np.ndarray) -> np.ndarray:
    """Append a column of ones, by which a product adds the bias."""
    return np.column_stack([user, np.ones(len(user), dtype=user.dtype)])


def compute_contributions(ranks: np.ndarray, relevant: sp.csr_matrix, k: int) -> np.ndarray:
    """Return what each relevant item brings to its user's NDCG@k: (relevant.nnz,) float64.

    A user's NDCG is the sum of the user's contributions. One of two relevant items at rank 1 of two:

    >>> relevant = sp.csr_matrix(np.array([[1.0, 1.0, 0.0]]))
    >>> compute_contributions(np.array([1, 2]), relevant, 2).round(4).tolist()
    [0.3869, 0.0]

    Args:
        ranks: of `rank_relevant`.
        relevant: (n_users, n_items) binary.
        k: the length of a list.
    """
    discount = np.append(1 / np.log2(np.arange(k) + 2), 0.0)
    counts = np.diff(relevant.indptr)
    ideal = np.cumsum(discount[:k])[np.minimum(counts, k) - 1]
    return discount[ranks] / np.repeat(ideal, counts)


def find_distinct(items: ItemFactors) -> Distinct:
    """Find the items of the same vector and bias.

    Raises:
        ValueError: a factor is not finite.
    """
    whole = np.ascontiguousarray(np.column_stack([items.vectors, items.bias]) + np.float32(0))  # + 0 turns −0 into 0
    if not np.isfinite(whole).all():
        raise ValueError("a factor of an item is not finite")
    keys = whole.view(np.dtype((np.void, whole.itemsize * whole.shape[1]))).ravel()
    _, first, row, sizes = np.unique(keys, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first)  # by first item, so that rows without repeats stay as they are
    number = np.empty(len(first), dtype=np.int64)
    number[order] = np.arange(len(first))
    row, sizes = number[row], sizes[order]
    by_row = np.argsort(row, kind="stable")
    starts = np.cumsum(sizes) - sizes
    place = np.empty(len(row), dtype=np.int64)
    place[by_row] = np.arange(len(row)) - starts[row[by_row]]
    alone = len(first) == len(row)
    return Distinct(
        np.ascontiguousarray(whole[first[order]].T), None if alone else sizes.astype(np.float32), row, place
    )


def _are_far(left: np.ndarray, distinct: Distinct, part: Part, row: np.ndarray, item: np.ndarray, k: int) -> np.ndarray:
    """Tell which relevant items surely have k items above them, by some items alone: (n_pairs,) bool.

    Args:
        left: users, (n_rows, width + 1).
        distinct: all items.
        part: some of them.
        row: the user of each pair, ascending.
        item: the relevant item of each pair.
        k: how many.
    """
    scores = left @ part.right
    own = np.einsum("ij,ji->i", left[row], distinct.right[:, distinct.row[item]])
    size = np.linalg.norm(left, axis=1) * part.longest
    return _count(np.greater, scores, row, own + ROUNDING * size[row], part.sizes) >= k


def _rank(left: np.ndarray, distinct: Distinct, owner: np.ndarray, item: np.ndarray, k: int) -> np.ndarray:
    """Rank relevant items among all; those that are not among the first k need not be told apart: (n_pairs,)."""
    users, row = np.unique(owner, return_inverse=True)
    scores = left[users] @ distinct.right
    own = scores[row, distinct.row[item]]
    ranks = _count(np.greater, scores, row, own, distinct.sizes) + distinct.place[item]
    hits = np.flatnonzero(ranks < k)
    for pair in hits[_count(np.equal, scores, row[hits], own[hits], None) > 1]:  # another vector has the same score
        tied = scores[row[pair]] == own[pair]
        tied[distinct.row[item[pair]]] = False
        ranks[pair] += np.count_nonzero(tied[distinct.row[: item[pair]]])
    return ranks


def _count(
    compare: np.ufunc, scores: np.ndarray, row: np.ndarray, own: np.ndarray, sizes: np.ndarray | None
) -> np.ndarray:
    """Count for each pair the items of its row that score more than its own, or as much: (n_pairs,) int64.

    Args:
        compare: greater or equal.
        scores: (n_rows, n_distinct).
        row: of each pair, ascending.
        own: the score of each pair.
        sizes: how many items each column stands for; None: one each.
    """
    counts = np.empty(len(row), dtype=np.int64)
    position = np.arange(len(row)) - np.searchsorted(row, row)  # of a pair among those of its row
    for turn in range(position.max(initial=-1) + 1):
        chosen = np.flatnonzero(position == turn)
        part = scores if len(chosen) == len(scores) else scores[row[chosen]]
        found = compare(part, own[chosen, None])
        counts[chosen] = np.count_nonzero(found, axis=1) if sizes is None else np.rint(found @ sizes).astype(np.int64)
    return counts
