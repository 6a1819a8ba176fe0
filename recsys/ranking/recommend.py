"""From scores to lists: the best unseen items of each user, in blocks of users.

Ties: score descending, then item index ascending, so that a list is a function of the scores alone. An item that no one
near has bought has score 0, and fills the end of a list in the order of the index. Never are there scores of all users:

- a `Product` (kNN) is multiplied and cut to the best of each user in compiled code. What a user has seen is added to the
  product with −inf, so that it never gets in;
- a `Shared` score (MostPop) is sorted once: a list is the first items of that order that the user has not seen;
- of a `Drawn` order (Random) only the beginning is drawn;
- other scores are dense, a block of users at a time.
"""

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp

from recsys.ranking.scorers import Drawn, Product, Scorer, Shared
from recsys.ranking.topk import NONE, Lists, highest, largest, packed, product_topn, unpacked

BLOCK_CELLS = 4_000_000  # users × items scored at once: 16 MB of scores
BLOCK_USERS = 65_536
SPARE = 12  # items asked for beyond k, so that a tie at the last place is mostly seen whole


def recommend(
    scorer: Scorer | Drawn, train: sp.csr_matrix, k: int, pools: Mapping[str, np.ndarray], threads: int = 1
) -> dict[str, Lists]:
    """For every user the k best items not in `train`, once among the candidates of each pool.

    Args:
        train: (n_users, n_items), the seen pairs.
        pools: name → (n_items,) bool, the candidates.
    """
    if isinstance(scorer, Product):
        return {name: of_product(scorer, train, k, pool, threads) for name, pool in pools.items()}
    if isinstance(scorer, Shared):
        return {name: of_shared(scorer.item, train, k, pool) for name, pool in pools.items()}
    if isinstance(scorer, Drawn):
        return {name: of_drawn(scorer, train, k, pool) for name, pool in pools.items()}
    return of_dense(scorer, train, k, pools)


def of_product(scorer: Product, train: sp.csr_matrix, k: int, pool: np.ndarray, threads: int = 1) -> Lists:
    """The lists of scores that are a sparse product without negative entries."""
    candidates = np.append(np.flatnonzero(pool), NONE).astype(np.int32)  # in the place of NONE: NONE
    everything = pool.all()
    right = scorer.right if everything else scorer.right[:, candidates[:-1]]
    seen = train if everything else train[:, candidates[:-1]]
    items, scores = [], []
    for start in range(0, train.shape[0], BLOCK_USERS):
        block = slice(start, start + BLOCK_USERS)
        listed = _of_block(scorer.left[block], right, seen[block], k, threads)
        items.append(candidates[listed[0]])
        scores.append(listed[1])
    return np.concatenate(items), np.concatenate(scores)


def of_shared(item: np.ndarray, train: sp.csr_matrix, k: int, pool: np.ndarray) -> Lists:
    """The lists where every user has the same scores: (n_items,)."""
    candidates = np.flatnonzero(pool)
    order = np.append(candidates[np.argsort(-item[candidates], kind="stable")], NONE)  # in the place of NONE: NONE
    place = np.full(
        len(item), len(candidates), dtype=np.int64
    )  # of each item in the order; behind the end: no candidate
    place[order[:-1]] = np.arange(len(candidates))
    items, scores = [], []
    for start in range(0, train.shape[0], BLOCK_USERS):
        seen = train[start : start + BLOCK_USERS]
        owner = np.repeat(np.arange(seen.shape[0]), np.diff(seen.indptr))
        listed = order[first_absent(owner, place[seen.indices], seen.shape[0], k, len(candidates))].astype(np.int32)
        items.append(listed)
        scores.append(np.where(listed < 0, -np.inf, item[listed]).astype(np.float32))
    return np.concatenate(items), np.concatenate(scores)


def of_drawn(scorer: Drawn, train: sp.csr_matrix, k: int, pool: np.ndarray) -> Lists:
    """The lists of random orders; a score is 1 minus the place among the candidates, from 0, over their number."""
    candidates = np.flatnonzero(pool)
    n = len(candidates)
    items, scores = np.full((train.shape[0], k), NONE, np.int32), np.full((train.shape[0], k), -np.inf, np.float32)
    for user in range(train.shape[0]):
        seen = train.indices[train.indptr[user] : train.indptr[user + 1]]
        first = candidates[scorer.first(user, min(n, k + len(seen)), n)] if n else candidates
        places = np.flatnonzero(~np.isin(first, seen))[:k]
        items[user, : len(places)], scores[user, : len(places)] = first[places], 1 - places / max(n, 1)
    return items, scores


def of_dense(scorer: Scorer, train: sp.csr_matrix, k: int, pools: Mapping[str, np.ndarray]) -> dict[str, Lists]:
    """The lists of any scores, a block of users at a time."""
    n_users, n_items = train.shape
    rows = max(1, BLOCK_CELLS // n_items)
    found: dict[str, list[Lists]] = {name: [] for name in pools}
    for start in range(0, n_users, rows):
        users = np.arange(start, min(start + rows, n_users))
        scores = dense(scorer.scores(users))
        seen = train[users].tocoo()
        scores[seen.row, seen.col] = -np.inf
        for name, pool in pools.items():
            found[name].append(best(scores if pool.all() else np.where(pool, scores, np.float32(-np.inf)), k))
    return {
        name: (np.concatenate([b[0] for b in blocks]), np.concatenate([b[1] for b in blocks]))
        for name, blocks in found.items()
    }


def best(scores: np.ndarray, k: int) -> Lists:
    """The k best columns of each row; −inf is never taken: its places hold NONE and score −inf.

    Args:
        scores: (n_rows, n_items) float32.

    Raises:
        ValueError: a score is NaN.
    """
    depth = min(k, scores.shape[1])
    least = np.partition(scores, scores.shape[1] - depth, axis=1)[:, scores.shape[1] - depth]
    if np.isnan(scores.max(axis=1, initial=-np.inf)).any():
        raise ValueError("a score is not a number")
    row, column = np.nonzero((scores >= least[:, None]) & (scores > -np.inf))  # ties of the last: by ascending column
    counts = np.bincount(row, minlength=len(scores))
    keys = np.zeros((len(scores), counts.max(initial=0)), dtype=np.uint64)
    keys[np.arange(keys.shape[1]) < counts[:, None]] = packed(scores[row, column], column)
    return unpacked(highest(keys, k))


def first_absent(row: np.ndarray, present: np.ndarray, n_rows: int, k: int, n: int) -> np.ndarray:
    """The first k numbers below n that each row does not have, ascending, NONE where there are fewer: (n_rows, k).

    Below the t-th number present, p_t, are p_t − t absent ones: so the j-th absent is j + #{t: p_t − t ≤ j}.

    Args:
        row, present: (n_present,) pairs, none below n twice.
    """
    counts = np.bincount(row, minlength=n_rows)
    counted = present < np.minimum(k + counts, n)[row]  # p_t from k + t on lies behind all that are asked for
    row, present = row[counted], present[counted]
    order = np.lexsort((present, row))
    row, present = row[order], present[order]
    counts = np.bincount(row, minlength=n_rows)
    place = np.arange(len(row)) - (np.cumsum(counts) - counts)[row]
    gap = present - place
    near = gap < k
    steps = np.bincount(row[near] * k + gap[near], minlength=n_rows * k).reshape(n_rows, k)
    absent = np.arange(k) + np.cumsum(steps, axis=1)
    return np.where(absent < n, absent, NONE)


def dense(scores: np.ndarray | sp.csr_matrix) -> np.ndarray:
    """A block of scores as an array of its own: (n_block, n_items) float32."""
    return np.array(scores, dtype=np.float32) if isinstance(scores, np.ndarray) else scores.toarray()


def _of_block(left: sp.csr_matrix, right: sp.csr_matrix, seen: sp.csr_matrix, k: int, threads: int) -> Lists:
    """The lists of some users: the best of left × right − ∞ · seen, then the first unseen items with score 0."""
    n_users = seen.shape[0]
    left = sp.hstack([left, sp.identity(n_users, dtype=np.float32)], format="csr")
    never = sp.csr_matrix((np.full(seen.nnz, -np.inf, np.float32), seen.indices, seen.indptr), shape=seen.shape)
    right = sp.vstack([right, never], format="csr")

    def find(rows: np.ndarray, asked: int, above: float) -> sp.csr_matrix:
        part = left if len(rows) == n_users else left[rows]
        return product_topn(part, right, asked, above, threads)

    items, scores = largest([find], n_users, k, k + SPARE)
    short = np.flatnonzero(items[:, -1] < 0)
    if len(short):
        items[short], scores[short] = _filled(items[short], scores[short], seen[short])
    return items, scores


def _filled(items: np.ndarray, scores: np.ndarray, seen: sp.csr_matrix) -> Lists:
    """Lists with the unseen items of score 0 at their end."""
    n_rows, k = items.shape
    row, place = np.nonzero(items >= 0)
    owner = np.repeat(np.arange(n_rows), np.diff(seen.indptr))
    taken = np.concatenate([items[row, place], seen.indices])
    spare = first_absent(np.concatenate([row, owner]), taken, n_rows, k, seen.shape[1])
    listed = (items >= 0).sum(1)
    source = np.arange(k) - listed[:, None]  # which spare item each place takes
    free = source >= 0
    extra = np.take_along_axis(spare, np.maximum(source, 0), axis=1)
    items = np.where(free, extra, items).astype(np.int32)
    return items, np.where(free, np.where(extra < 0, -np.inf, 0), scores).astype(np.float32)
