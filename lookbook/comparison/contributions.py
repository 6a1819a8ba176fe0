"""What the hits of two arms add to NDCG, as differences by user and product."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lookbook.comparison.clusters import TINY, Differences
from lookbook.comparison.rows import Row

LARGEST = 10  # garments whose share is told


class Hits(NamedTuple):
    """The hits of an arm's lists in all its runs: (n,) each.

    Attributes:
        run: its number.
        user: a number below `n_users`.
        item: an index of the items.
        contribution: what the hit adds to the user's NDCG.
    """

    run: np.ndarray
    user: np.ndarray
    item: np.ndarray
    contribution: np.ndarray

    def of_users(self, users: np.ndarray) -> "Hits":
        """Return the hits of these users, as numbers in their order.

        Args:
            users: (n_users,) ascending.
        """
        place = np.searchsorted(users, self.user)
        place[place == len(users)] = 0
        chosen = np.flatnonzero(users[place] == self.user) if len(users) else np.zeros(0, dtype=np.int64)
        return Hits(self.run[chosen], place[chosen], self.item[chosen], self.contribution[chosen])


class Comparison(NamedTuple):
    """Two arms, compared.

    Attributes:
        differences: a − b by user and product.
        facts: `products`, `hit_items` and `top10_share` of a row.
    """

    differences: Differences
    facts: Row


def pair_runs(a: Sequence[int] | np.ndarray, b: Sequence[int] | np.ndarray) -> list[tuple[int, int]]:
    """Pair the runs of two arms by their number; the only run of an arm is paired with every run of the other.

    >>> pair_runs([0, 1, 2], [1, 2, 3]), pair_runs([0, 1], [0])
    ([(1, 1), (2, 2)], [(0, 0), (1, 0)])
    """
    if len(a) > 1 and len(b) > 1:
        return [(int(run), int(run)) for run in a if run in set(b)]
    return [(int(first), int(second)) for first in a for second in b]


def compare_hits(
    a: Hits,
    b: Hits,
    runs: Sequence[tuple[int, int]],
    product: np.ndarray,
    n_users: int,
    n_products: int,
) -> Comparison:
    """Compare the hits of two arms.

    Args:
        a: the hits of the first arm.
        b: the hits of the second arm.
        runs: of each pair of runs that of a and that of b.
        product: (n_items,) the product of each item, numbers from 0.
        n_users: users that means are over, with those without a hit.
        n_products: products that lists can hit.
    """
    parts = [
        (sign, hits, column, np.flatnonzero(hits.run == pair[side]))
        for side, (sign, hits) in enumerate(((1.0, a), (-1.0, b)))
        for column, pair in enumerate(runs)
    ]
    user, item = (np.concatenate([np.asarray(hits[field])[rows] for _, hits, _, rows in parts]) for field in (1, 2))
    value = np.concatenate([sign * hits.contribution[rows] for sign, hits, _, rows in parts])
    column = np.concatenate([np.full(len(rows), number) for _, _, number, rows in parts])
    n_codes = int(product.max()) + 1
    cells, cell = np.unique(user.astype(np.int64) * n_codes + product[item], return_inverse=True)
    values = np.bincount(cell * len(runs) + column, value, len(cells) * len(runs)).reshape(len(cells), len(runs))
    differences = Differences(cells // n_codes, cells % n_codes, values, n_users, n_products)
    items, place = np.unique(item, return_inverse=True)
    of_items = np.sort(np.abs(np.bincount(place, value, len(items))))[::-1]
    changed = len(items) and of_items[0] > TINY  # what is smaller is rounding
    share = float(of_items[:LARGEST].sum() / of_items.sum()) if changed else 0.0
    facts = {"products": n_products, "hit_items": len(items), "top10_share": share}
    return Comparison(differences, facts)
