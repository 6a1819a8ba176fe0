"""Lists of dense scores beside a GPU: the products and the best of each user there, the rule of ties here.

torch.topk returns which of several equal entries it likes. So `SPARE` more than needed are taken; a user whose last
place is still tied with the last of these is ranked again from all scores. The lists are those of
`recsys.ranking.dense.rank_columns` of the same scores. The scores are the device's: its products differ from a
CPU's in the last bits.
"""

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp
import torch

from recsys.ranking.dense import join_blocks, rank_columns
from recsys.ranking.scorers import Factors
from recsys.ranking.topk import SPARE, Lists, pack, take_highest, unpack

BLOCK_CELLS = 250_000_000  # users × items scored at once: 1 GB of scores, and another for each pool


def rank_factors(
    scorer: Factors, train: sp.csr_matrix, k: int, pools: Mapping[str, np.ndarray], device: str
) -> dict[str, Lists]:
    """Rank by products of dense vectors, a block of users at a time.

    Args:
        scorer: users and items.
        train: (n_users, n_items), the seen pairs.
        k: the length of a list.
        pools: name → (n_items,) bool, the candidates.
        device: as torch names it.

    Returns:
        Pool → its lists.

    Raises:
        ValueError: a score is NaN.
    """
    n_users, n_items = train.shape
    rows = max(1, BLOCK_CELLS // n_items)
    different, number = scorer.different
    items, bias = (torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in different)
    column_of = None if number is None else torch.from_numpy(number).to(device)
    outside = {name: torch.from_numpy(~pool).to(device) for name, pool in pools.items() if not pool.all()}
    blocks = []
    for start in range(0, n_users, rows):
        seen = train[start : start + rows].tocoo()
        users = torch.from_numpy(np.ascontiguousarray(scorer.user[start : start + rows])).to(device)
        scores = torch.addmm(bias, users, items.T)
        scores = scores if column_of is None else scores.index_select(1, column_of)
        row, column = (torch.from_numpy(part.astype(np.int64)).to(device) for part in (seen.row, seen.col))
        scores[row, column] = -torch.inf
        blocks.append(
            {
                name: _rank(scores.masked_fill(outside[name], -torch.inf) if name in outside else scores, k)
                for name in pools
            }
        )
    return join_blocks(blocks, pools, k)


def _rank(scores: torch.Tensor, k: int) -> Lists:
    """Rank the k best columns of each row; a column with −inf is never taken."""
    n = min(k + SPARE, scores.shape[1])
    values, columns = (part.cpu().numpy() for part in torch.topk(scores, n))  # NaN is the largest
    if np.isnan(values[:, :1]).any():
        raise ValueError("a score is not a number")
    keys = np.where(np.isfinite(values), pack(values, columns), np.uint64(0))
    items, best = unpack(take_highest(keys, k))
    if n < scores.shape[1]:
        tied = np.flatnonzero((values[:, -1] == values[:, k - 1]) & np.isfinite(values[:, -1]))
        if len(tied):
            of_tied = scores[torch.from_numpy(tied).to(scores.device)].cpu().numpy()
            items[tied], best[tied] = rank_columns(of_tied, k)
    return items.astype(np.int32), best
