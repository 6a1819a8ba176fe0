"""Lists of dense scores, a block of users at a time; the best columns of each row, ties to the lower column."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from recsys.ranking.scorers import Scorer
from recsys.ranking.topk import Lists, pack, take_highest, unpack

BLOCK_CELLS = 4_000_000  # users × items scored at once: 16 MB of scores
GROUPS = 8  # of columns, for each place of a list, whose best are sorted in place of all
TIED = 8  # times k: rows in which more columns reach the bound have many equal scores


def rank_dense(
    scorer: Scorer, train: sp.csr_matrix, k: int, pools: Mapping[str, np.ndarray], threads: int = 1
) -> dict[str, Lists]:
    """Rank by any scores, a block of users at a time; a product has the same bits with any number of threads."""
    n_users, n_items = train.shape
    rows = max(1, BLOCK_CELLS // n_items)

    def rank_block(start: int) -> dict[str, Lists]:
        users = np.arange(start, min(start + rows, n_users))
        scores = as_array(scorer.scores(users))
        seen = train[users].tocoo()
        scores[seen.row, seen.col] = -np.inf
        return {
            name: rank_columns(scores if pool.all() else np.where(pool, scores, np.float32(-np.inf)), k)
            for name, pool in pools.items()
        }

    with threadpool_limits(1), ThreadPoolExecutor(threads) as executor:
        blocks = list(executor.map(rank_block, range(0, n_users, rows)))
    return join_blocks(blocks, pools, k)


def join_blocks(blocks: Sequence[Mapping[str, Lists]], pools: Mapping[str, np.ndarray], k: int) -> dict[str, Lists]:
    """Join the lists of blocks of users, in order: pool → its lists."""
    nobody = (np.empty((0, k), np.int32), np.empty((0, k), np.float32))
    return {
        name: tuple(np.concatenate(parts) for parts in zip(nobody, *(block[name] for block in blocks), strict=True))  # type: ignore[misc]
        for name in pools
    }


def rank_columns(scores: np.ndarray, k: int) -> Lists:
    """Rank the k best columns of each row; a column with −inf is never taken.

    >>> items, scores = rank_columns(np.array([[1, 3, 3], [-np.inf, 2, -np.inf]], dtype=np.float32), 2)
    >>> items.tolist(), scores.tolist()
    ([[1, 2], [1, -1]], [[3.0, 3.0], [2.0, -inf]])

    Args:
        scores: (n_rows, n_items) float32.
        k: the length of a list.

    Raises:
        ValueError: a score is NaN.
    """
    floor = find_floor(scores, min(k, scores.shape[1]))
    if np.isnan(scores.max(axis=1, initial=-np.inf)).any():
        raise ValueError("a score is not a number")
    return rank_above(scores, floor, k)


def rank_above(scores: np.ndarray, floor: np.ndarray, k: int) -> Lists:
    """Rank the k best of the columns that score at least a floor; a column with −inf is never taken.

    Args:
        scores: (n_rows, n_items) float32, no NaN.
        floor: of each row, (n_rows,).
        k: the length of a list.
    """
    reached = scores >= floor[:, None]
    if not np.isfinite(floor).all():
        reached &= scores > -np.inf
    counts = np.count_nonzero(reached, axis=1)
    tied = np.flatnonzero(counts > TIED * k)
    if len(tied):
        reached[tied] = _choose_first(scores[tied], min(k, scores.shape[1])) & reached[tied]
        counts[tied] = np.count_nonzero(reached[tied], axis=1)
    row, column = np.divmod(np.flatnonzero(reached), max(1, scores.shape[1]))  # by ascending column
    keys = np.zeros((len(scores), counts.max(initial=0)), dtype=np.uint64)
    keys[np.arange(keys.shape[1]) < counts[:, None]] = pack(scores[row, column], column)
    return unpack(take_highest(keys, k))


def find_floor(scores: np.ndarray, k: int) -> np.ndarray:
    """Find a score of each row that at least k columns reach, and seldom many more: (n_rows,).

    Where there are many columns it is the k-th highest among the best of every few columns, which takes a fraction of
    the time of the k-th highest of all.

    Args:
        scores: (n_rows, n_items).
        k: at most n_items.
    """
    groups = GROUPS * k
    size = scores.shape[1] // groups
    if size >= 2:
        scores = scores[:, : groups * size].reshape(len(scores), size, groups).max(axis=1)
    return np.partition(scores, scores.shape[1] - k, axis=1)[:, scores.shape[1] - k]


def _choose_first(scores: np.ndarray, k: int) -> np.ndarray:
    """Choose the k best columns of each row, of equal ones the first: (n_rows, n_items) bool."""
    least = np.partition(scores, scores.shape[1] - k, axis=1)[:, scores.shape[1] - k, None]
    better, equal = scores > least, scores == least
    return better | (equal & (np.cumsum(equal, axis=1) <= k - np.count_nonzero(better, axis=1)[:, None]))


def as_array(scores: np.ndarray | sp.csr_matrix) -> np.ndarray:
    """Copy a block of scores to an array: (n_block, n_items) float32."""
    return np.array(scores, dtype=np.float32) if isinstance(scores, np.ndarray) else scores.toarray()
