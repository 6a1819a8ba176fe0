"""From scores to lists: the best unseen items of each user, in blocks of users.

Ties: score descending, then item index ascending, so that a list is a function of the scores alone. Items with score 0
(for kNN: no neighbour has bought them) fill the end of a list in the order of the index. The scores of all users and
items are never in memory at once:

- a `SparseProduct` (kNN) is multiplied and cut to the best of each user in compiled code. What a user has seen is added
  to the product with −inf, so that it never enters a list;
- scores that are the `SameForAll` users (MostPop) are sorted once: a list is the first items of that order which the
  user has not seen;
- of a `RandomOrder` (Random) only the beginning is drawn;
- other scores are dense, a block of users at a time and in each thread. Beside a GPU, products of dense vectors are
  ranked there (`recsys.ranking.on_device`).
"""

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp

from recsys.ranking.dense import rank_dense
from recsys.ranking.ranges import FindRange, Sharing, find_in_ranges
from recsys.ranking.scorers import Factors, RandomOrder, SameForAll, Scorer, SparseProduct
from recsys.ranking.topk import NONE, SPARE, Lists, find_largest, fits_32_bits, multiply_topn

BLOCK_USERS = 65_536


def recommend(
    scorer: Scorer | RandomOrder,
    train: sp.csr_matrix,
    k: int,
    pools: Mapping[str, np.ndarray],
    threads: int = 1,
    device: str = "cpu",
    sharing: Sharing | None = None,
) -> dict[str, Lists]:
    """Rank for every user the k best items not in `train`, once among the candidates of each pool.

    Args:
        scorer: a fitted recommender.
        train: (n_users, n_items), the seen pairs.
        k: the length of a list.
        pools: name → (n_items,) bool, the candidates.
        threads: CPU threads.
        device: cpu or cuda, where products of dense vectors are computed and cut.
        sharing: how the nodes of a cluster share the users of a `SparseProduct`; None: this process alone.

    Returns:
        Pool → its lists.
    """
    if isinstance(scorer, SparseProduct):
        return {name: rank_product(scorer, train, k, pool, threads, name, sharing) for name, pool in pools.items()}
    if isinstance(scorer, SameForAll):
        return {name: rank_same_for_all(scorer.item, train, k, pool) for name, pool in pools.items()}
    if isinstance(scorer, RandomOrder):
        return {name: rank_random_order(scorer, train, k, pool) for name, pool in pools.items()}
    if isinstance(scorer, Factors) and device != "cpu":
        from recsys.ranking.on_device import rank_factors

        return rank_factors(scorer, train, k, pools, device)
    return rank_dense(scorer, train, k, pools, threads)


def rank_product(
    scorer: SparseProduct,
    train: sp.csr_matrix,
    k: int,
    pool: np.ndarray,
    threads: int = 1,
    name: str = "pool",
    sharing: Sharing | None = None,
) -> Lists:
    """Rank by scores that are a sparse product without negative entries; `name` is that of the pool."""
    tables = {"train": train, "left": scorer.left, "right": scorer.right, f"pool-{name}": pool}
    return find_in_ranges(f"lists-{name}", open_product, tables, (k, threads), BLOCK_USERS, sharing)


def open_product(
    train: sp.csr_matrix, left: sp.csr_matrix, right: sp.csr_matrix, pool: np.ndarray, k: int, threads: int
) -> FindRange:
    """Return what ranks some users by left × right; arguments as in `recommend`."""
    candidates = np.append(np.flatnonzero(pool), NONE).astype(np.int32)  # index NONE, the last, holds NONE
    everything = pool.all()
    right = right if everything else right[:, candidates[:-1]]

    def find(start: int, stop: int) -> Lists:
        items, scores = [], []
        for first in range(start, stop, BLOCK_USERS):
            block = slice(first, min(first + BLOCK_USERS, stop))
            seen = train[block] if everything else train[block][:, candidates[:-1]]
            columns, values = _rank_product_block(left[block], right, seen, k, threads)
            items.append(candidates[columns])
            scores.append(values)
        return np.concatenate(items), np.concatenate(scores)

    return find


def rank_same_for_all(item: np.ndarray, train: sp.csr_matrix, k: int, pool: np.ndarray) -> Lists:
    """Rank by scores that every user shares: (n_items,)."""
    candidates = np.flatnonzero(pool)
    order = np.append(candidates[np.argsort(-item[candidates], kind="stable")], NONE)  # index NONE, the last: NONE
    # The rank of each item in the order; behind the end: no candidate.
    rank = np.full(len(item), len(candidates), dtype=np.int64)
    rank[order[:-1]] = np.arange(len(candidates))
    items, scores = [], []
    for start in range(0, train.shape[0], BLOCK_USERS):
        seen = train[start : start + BLOCK_USERS]
        owner = np.repeat(np.arange(seen.shape[0]), np.diff(seen.indptr))
        best = order[list_first_absent(owner, rank[seen.indices], seen.shape[0], k, len(candidates))].astype(np.int32)
        items.append(best)
        scores.append(np.where(best < 0, -np.inf, item[best]).astype(np.float32))
    return np.concatenate(items), np.concatenate(scores)


def rank_random_order(scorer: RandomOrder, train: sp.csr_matrix, k: int, pool: np.ndarray) -> Lists:
    """Rank by random orders; a score is 1 − (rank among the candidates, from 0) / (number of candidates)."""
    candidates = np.flatnonzero(pool)
    n = len(candidates)
    items, scores = np.full((train.shape[0], k), NONE, np.int32), np.full((train.shape[0], k), -np.inf, np.float32)
    for user in range(train.shape[0]):
        seen = train.indices[train.indptr[user] : train.indptr[user + 1]]
        first = candidates[scorer.first(user, min(n, k + len(seen)), n)] if n else candidates
        ranks = np.flatnonzero(~np.isin(first, seen))[:k]
        items[user, : len(ranks)], scores[user, : len(ranks)] = first[ranks], 1 - ranks / max(n, 1)
    return items, scores


def list_first_absent(row: np.ndarray, present: np.ndarray, n_rows: int, k: int, n: int) -> np.ndarray:
    """List the first k numbers below n that each row does not have, ascending, NONE where there are fewer: (n_rows, k).

    Below the t-th number present, p_t, are p_t − t absent ones: so the j-th absent is j + #{t: p_t − t ≤ j}.

    >>> list_first_absent(np.array([0, 0, 1]), np.array([0, 2, 1]), n_rows=2, k=2, n=3).tolist()
    [[1, -1], [0, 2]]

    Args:
        row: (n_present,) the row of each number present.
        present: (n_present,) the numbers, none below n twice in a row.
        n_rows: how many rows there are.
        k: how many numbers to list.
        n: the number behind the last.
    """
    counts = np.bincount(row, minlength=n_rows)
    counted = present < np.minimum(k + counts, n)[row]  # p_t from k + t on lies behind all that are listed
    row, present = row[counted], present[counted]
    order = np.lexsort((present, row))
    row, present = row[order], present[order]
    counts = np.bincount(row, minlength=n_rows)
    position = np.arange(len(row)) - (np.cumsum(counts) - counts)[row]
    gap = present - position
    near = gap < k
    steps = np.bincount(row[near] * k + gap[near], minlength=n_rows * k).reshape(n_rows, k)
    absent = np.arange(k) + np.cumsum(steps, axis=1)
    return np.where(absent < n, absent, NONE)


def _rank_product_block(left: sp.csr_matrix, right: sp.csr_matrix, seen: sp.csr_matrix, k: int, threads: int) -> Lists:
    """Rank by left × right − ∞ · seen, then append the first unseen items with score 0."""
    n_users = seen.shape[0]
    if not fits_32_bits(right.nnz + seen.nnz, right.shape[0] + n_users):
        left, right = _drop_unused_rows(left, right)
    left = sp.hstack([left, sp.identity(n_users, dtype=np.float32)], format="csr")
    never = sp.csr_matrix((np.full(seen.nnz, -np.inf, np.float32), seen.indices, seen.indptr), shape=seen.shape)
    right = sp.vstack([right, never], format="csr")

    def find(rows: np.ndarray, n: int, above: float) -> sp.csr_matrix:
        part = left if len(rows) == n_users else left[rows]
        return multiply_topn(part, right, n, above, threads)

    items, scores = find_largest([find], n_users, k, k + SPARE)
    short = np.flatnonzero(items[:, -1] < 0)
    if len(short):
        items[short], scores[short] = _fill(items[short], scores[short], seen[short])
    return items, scores


def _drop_unused_rows(left: sp.csr_matrix, right: sp.csr_matrix) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Keep the rows of `right` that `left` names, and number them anew in their order: the product is the same."""
    used = np.unique(left.indices)
    numbers = np.searchsorted(used, left.indices)
    return sp.csr_matrix((left.data, numbers, left.indptr), shape=(left.shape[0], len(used))), right[used]


def _fill(items: np.ndarray, scores: np.ndarray, seen: sp.csr_matrix) -> Lists:
    """Append the unseen items of score 0 to lists that are too short."""
    n_rows, k = items.shape
    row, rank = np.nonzero(items >= 0)
    owner = np.repeat(np.arange(n_rows), np.diff(seen.indptr))
    taken = np.concatenate([items[row, rank], seen.indices])
    spare = list_first_absent(np.concatenate([row, owner]), taken, n_rows, k, seen.shape[1])
    source = np.arange(k) - (items >= 0).sum(1)[:, None]  # which spare item each rank takes
    free = source >= 0
    extra = np.take_along_axis(spare, np.maximum(source, 0), axis=1)
    items = np.where(free, extra, items).astype(np.int32)
    return items, np.where(free, np.where(extra < 0, -np.inf, 0), scores).astype(np.float32)
