"""What each hit of a list adds to its user's NDCG: the parts that comparisons group by user and by product.

A user's NDCG@k is the sum of its hits' contributions, gain / log2(rank + 1) over the gain of the best list. Hits alone
are stored: most users of most recommenders have none.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from recsys.scoring.metrics import BLOCK, ideal_gains, listed_gains


class Hits(NamedTuple):
    """The relevant items of some lists.

    Attributes:
        row: (n,) which list.
        item: (n,).
        contribution: (n,) float64.
    """

    row: np.ndarray
    item: np.ndarray
    contribution: np.ndarray


def find_hits(lists: np.ndarray, relevant: sp.csr_matrix, k: int) -> Hits:
    """Find the relevant items among the first k of each list, and what each adds to NDCG@k.

    One of two relevant items, at rank 2, (1 / log2 3) / (1 + 1 / log2 3):

    >>> hits = find_hits(np.array([[3, 0]]), sp.csr_matrix(np.array([[1, 0, 1, 0]])), 2)
    >>> hits.item.tolist(), hits.contribution.round(4).tolist()
    ([0], [0.3869])

    Args:
        lists: (n_users, depth) item columns of `relevant`, −1 for none.
        relevant: (n_users, n_items) gains.
        k: How many items of a list count.
    """
    blocks = [
        _find_block(lists[start : start + BLOCK, :k], relevant[start : start + BLOCK], k, start)
        for start in range(0, max(1, len(lists)), BLOCK)
    ]
    return Hits(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))


def _find_block(lists: np.ndarray, relevant: sp.csr_matrix, k: int, start: int) -> Hits:
    gains = listed_gains(lists, relevant)
    row, rank = np.nonzero(gains)
    discount = 1 / np.log2(np.arange(k) + 2)
    best = ideal_gains(relevant, k) @ discount
    return Hits(row + start, lists[row, rank], gains[row, rank] * discount[rank] / best[row])
