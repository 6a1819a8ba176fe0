"""Which purchases are kept, and which of them are train, test and validation.

Purchases are columns, in file order. A user's order is by day and, on the same day, by file order. Every function
returns (n_purchases,) bool in file order, but `order_by_user`.
"""

from dataclasses import dataclass

import numpy as np

from recsys.purchases.settings import FewPurchases


@dataclass(frozen=True)
class Purchases:
    """A row per purchase, in file order.

    Attributes:
        user: (n_purchases,) int32.
        item: (n_purchases,) int32.
        day: (n_purchases,) int32, days since 1970-01-01.
    """

    user: np.ndarray
    item: np.ndarray
    day: np.ndarray

    def __len__(self) -> int:
        return len(self.user)

    def where(self, rows: np.ndarray) -> "Purchases":
        """Return some rows, chosen by (n_purchases,) bool or by indices."""
        return Purchases(self.user[rows], self.item[rows], self.day[rows])


def order_by_user(purchases: Purchases) -> np.ndarray:
    """Return the rows by user, day and file order: (n_purchases,) int64."""
    day = purchases.day.astype(np.int64) - purchases.day.min(initial=0)
    return np.argsort(purchases.user * (day.max(initial=0) + 1) + day, kind="stable")


def is_in_sample(purchases: Purchases, target: int, seed: int) -> np.ndarray:
    """Choose a sample of whole users.

    Users are taken in a random order, each with all purchases, until the next one would be too many. The order is of
    the user numbers, which are those of the sorted ids.

    Args:
        purchases: all of them.
        target: how many purchases the sample has at most.
        seed: draws the order.
    """
    counts = np.bincount(purchases.user)
    order = np.random.default_rng(seed).permutation(len(counts))
    taken = np.zeros(len(counts), dtype=bool)
    taken[order[np.cumsum(counts[order]) <= target]] = True
    return taken[purchases.user]


def is_first_of_day(purchases: Purchases) -> np.ndarray:
    """Choose the first purchase of each user on each day, in file order, as the study's sampler did."""
    order = order_by_user(purchases)
    user, day = purchases.user[order], purchases.day[order]
    return _is_first(order, (user[1:] != user[:-1]) | (day[1:] != day[:-1]))


def is_first_of_item(purchases: Purchases) -> np.ndarray:
    """Choose the first purchase of each article by each user, by day and file order."""
    order = order_by_user(purchases)
    order = order[np.lexsort((purchases.item[order], purchases.user[order]))]  # stable: by day and file order within
    user, item = purchases.user[order], purchases.item[order]
    return _is_first(order, (user[1:] != user[:-1]) | (item[1:] != item[:-1]))


def has_few(purchases: Purchases, min_purchases: int) -> np.ndarray:
    """Choose the purchases of users with fewer than `min_purchases`."""
    return (np.bincount(purchases.user) < min_purchases)[purchases.user]


def is_test_by_user(
    purchases: Purchases, test_share: float, min_purchases: int, few_purchases: FewPurchases
) -> np.ndarray:
    """Choose the latest purchases of each user for test.

    >>> day = np.array([3, 1, 2, 4, 5], dtype=np.int32)
    >>> purchases = Purchases(np.zeros(5, np.int32), np.arange(5, dtype=np.int32), day)
    >>> is_test_by_user(purchases, test_share=0.4, min_purchases=2, few_purchases="train").tolist()
    [False, False, False, True, True]

    Args:
        purchases: all of them.
        test_share: of a user's n purchases ⌊(1 − test_share) n⌋, at least 1, are train and the rest test.
        min_purchases: fewer are few.
        few_purchases: where all purchases of users with few go: train or, as those of the study's users with one, test
            (`study`).
    """
    order = order_by_user(purchases)
    counts = np.bincount(purchases.user)
    n_train = np.maximum(np.floor((1 - test_share) * counts + 1e-9), 1)  # 1e-9: (1 − 0.7) · 10 is below 3 in binary
    n_train = np.where(counts < min_purchases, 0 if few_purchases == "study" else counts, n_train)
    test = np.empty(len(purchases), dtype=bool)
    test[order] = _rank(purchases.user[order]) >= n_train[purchases.user[order]]
    return test


def is_test_by_date(
    purchases: Purchases, test_days: int, min_purchases: int, few_purchases: FewPurchases
) -> np.ndarray:
    """Choose the purchases of the last `test_days` days of all for test; users with few as in `is_test_by_user`.

    >>> purchases = Purchases(np.zeros(3, np.int32), np.arange(3, dtype=np.int32), np.array([1, 9, 8], dtype=np.int32))
    >>> is_test_by_date(purchases, test_days=1, min_purchases=2, few_purchases="train").tolist()
    [False, True, False]

    Args:
        purchases: all of them.
        test_days: how many days, up to the last one of the data.
        min_purchases: fewer are few.
        few_purchases: where all purchases of users with few go.
    """
    last = purchases.day.max(initial=np.iinfo(np.int32).min)  # days before 1970 are negative
    test = purchases.day > int(last) - test_days
    return np.where(has_few(purchases, min_purchases), few_purchases == "study", test)


def is_validation(train: Purchases, per_user: int) -> np.ndarray:
    """Choose the last `per_user` of each user's train purchases, never the only one: (n_train,) bool.

    >>> train = Purchases(np.array([0, 0, 1], np.int32), np.arange(3, dtype=np.int32), np.array([2, 1, 7], np.int32))
    >>> is_validation(train, per_user=1).tolist()
    [True, False, False]
    """
    order = order_by_user(train)
    user = train.user[order]
    left = np.bincount(train.user)[user] - _rank(user)  # 1: the last
    late = np.empty(len(train), dtype=bool)
    late[order] = (left <= per_user) & (_rank(user) > 0)
    return late


def _rank(user: np.ndarray) -> np.ndarray:
    """Number each row among its user's, from 0; rows by user."""
    counts = np.bincount(user)
    return np.arange(len(user)) - (np.cumsum(counts) - counts)[user]


def _is_first(order: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """Choose the first row of each group.

    Args:
        order: the rows by group.
        changes: whether a row of `order` is of another group than the row before it, (n_purchases − 1,).
    """
    first = np.zeros(len(order), dtype=bool)
    first[order[:1]] = True
    first[order[1:][changes]] = True
    return first
