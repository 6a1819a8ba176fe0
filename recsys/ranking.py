"""From scores to lists: the best unseen items of each user, in blocks of users.

Ties: score descending, then item index ascending, so that a list is a function of the scores alone. Memory is one block
of users × items, never all of them.
"""

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp

from recsys.recommenders import Scorer

BLOCK_CELLS = 4_000_000  # users × items scored at once: 16 MB of scores, 32 MB of keys
NONE = -1  # in the place of an item where a list is shorter than k

Lists = tuple[np.ndarray, np.ndarray]  # items (n_users, k) int32, scores (n_users, k) float32


def best(scores: np.ndarray, k: int) -> Lists:
    """The k best columns of each row; −inf is never taken: its places hold NONE and score −inf.

    Args:
        scores: (n_rows, n_items) float32.

    Raises:
        ValueError: a score is NaN.
    """
    if np.isnan(scores).any():
        raise ValueError("a score is not a number")
    depth = min(k, scores.shape[1])
    keys = _sortable(scores)
    top = np.partition(keys, keys.shape[1] - depth, axis=1)[:, keys.shape[1] - depth :]
    top = np.sort(top, axis=1)[:, ::-1]
    items = (0xFFFFFFFF - (top & 0xFFFFFFFF)).astype(np.int32)
    values = np.take_along_axis(scores, items, axis=1)
    items = np.where(np.isneginf(values), NONE, items).astype(np.int32)
    pad = ((0, 0), (0, k - depth))
    return np.pad(items, pad, constant_values=NONE), np.pad(values, pad, constant_values=-np.inf)


def recommend(scorer: Scorer, train: sp.csr_matrix, k: int, pools: Mapping[str, np.ndarray]) -> dict[str, Lists]:
    """For every user the k best items not in `train`, once among the candidates of each pool.

    Args:
        train: (n_users, n_items), the seen pairs.
        pools: name → (n_items,) bool, the candidates.
    """
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


def dense(scores: np.ndarray | sp.csr_matrix) -> np.ndarray:
    """A block of scores as an array of its own: (n_block, n_items) float32."""
    return np.array(scores, dtype=np.float32) if isinstance(scores, np.ndarray) else scores.toarray()


def _sortable(scores: np.ndarray) -> np.ndarray:
    """uint64 keys, all different within a row, in the order of the score and on ties of the lower column.

    The bits of a float sort as an integer does once negative numbers are inverted and positive ones get the top bit.
    """
    bits = (scores + np.float32(0)).view(np.uint32)  # + 0 turns −0 into 0
    ordered = np.where(bits >> 31, ~bits, bits | np.uint32(0x80000000))
    columns = np.uint64(0xFFFFFFFF) - np.arange(scores.shape[1], dtype=np.uint64)
    return (ordered.astype(np.uint64) << np.uint64(32)) | columns
