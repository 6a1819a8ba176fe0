"""Which purchases are kept, and which of them are train, test and validation. Purchases are columns, in file order.

A user's order is by day and, on the same day, by file order.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

FewPurchases = Literal["train", "drop", "study"]


@dataclass(frozen=True)
class Purchases:
    """A row per purchase, in file order."""

    user: np.ndarray  # (n_purchases,) int32
    item: np.ndarray  # (n_purchases,) int32
    day: np.ndarray  # (n_purchases,) int32, days since 1970-01-01

    def __len__(self) -> int:
        return len(self.user)

    def where(self, kept: np.ndarray) -> "Purchases":
        """Args: kept: (n_purchases,) bool, or indices."""
        return Purchases(self.user[kept], self.item[kept], self.day[kept])


def by_user(purchases: Purchases) -> np.ndarray:
    """The rows by user, day and file order: (n_purchases,) int64."""
    day = purchases.day.astype(np.int64) - purchases.day.min(initial=0)
    return np.argsort(purchases.user * (day.max(initial=0) + 1) + day, kind="stable")


def sampled(purchases: Purchases, target: int, seed: int) -> np.ndarray:
    """Which purchases a sample of at most `target` holds: (n_purchases,) bool.

    Users are taken in a random order, each with all purchases, until the next one would be too many. The order is of
    the user numbers, which are those of the sorted ids.
    """
    counts = np.bincount(purchases.user)
    drawn = np.random.default_rng(seed).permutation(len(counts))
    taken = np.zeros(len(counts), dtype=bool)
    taken[drawn[np.cumsum(counts[drawn]) <= target]] = True
    return taken[purchases.user]


def first_of_day(purchases: Purchases) -> np.ndarray:
    """The first purchase of each user on each day, in file order: (n_purchases,) bool. What the study's sampler kept."""
    order = by_user(purchases)
    user, day = purchases.user[order], purchases.day[order]
    return _firsts(order, (user[1:] != user[:-1]) | (day[1:] != day[:-1]))


def first_of_item(purchases: Purchases) -> np.ndarray:
    """The first purchase of each article by each user, by day and file order: (n_purchases,) bool."""
    order = by_user(purchases)
    order = order[np.lexsort((purchases.item[order], purchases.user[order]))]  # stable: by day and file order within
    user, item = purchases.user[order], purchases.item[order]
    return _firsts(order, (user[1:] != user[:-1]) | (item[1:] != item[:-1]))


def has_few(purchases: Purchases, min_purchases: int) -> np.ndarray:
    """Which purchases are of users with fewer than `min_purchases`: (n_purchases,) bool."""
    return (np.bincount(purchases.user) < min_purchases)[purchases.user]


def test_by_user(purchases: Purchases, test_share: float, min_purchases: int, few: FewPurchases) -> np.ndarray:
    """Which purchases are test, the latest of each user: (n_purchases,) bool.

    Args:
        test_share: of a user's n purchases ⌊(1 − test_share) n⌋, at least 1, are train and the rest test.
        few: users with fewer than `min_purchases` have all of them in train or, as the study's one-purchase users, in test.
    """
    order = by_user(purchases)
    counts = np.bincount(purchases.user)
    kept = np.maximum(np.floor((1 - test_share) * counts + 1e-9), 1)  # 1e-9: (1 − 0.7) · 10 is below 3 in binary
    kept = np.where(counts < min_purchases, 0 if few == "study" else counts, kept)
    test = np.empty(len(purchases), dtype=bool)
    test[order] = _place(purchases.user[order]) >= kept[purchases.user[order]]
    return test


def test_by_date(purchases: Purchases, test_days: int, min_purchases: int, few: FewPurchases) -> np.ndarray:
    """Which purchases are test, those of the last `test_days` days of all: (n_purchases,) bool. Users with few as above."""
    test = purchases.day > purchases.day.max(initial=0) - test_days
    return np.where(has_few(purchases, min_purchases), few == "study", test)


def validation(train: Purchases, per_user: int) -> np.ndarray:
    """The last `per_user` of each user's train purchases, never the only one: (n_train,) bool."""
    order = by_user(train)
    user = train.user[order]
    left = np.bincount(train.user)[user] - _place(user)  # 1: the last
    late = np.empty(len(train), dtype=bool)
    late[order] = (left <= per_user) & (_place(user) > 0)
    return late


def _place(user: np.ndarray) -> np.ndarray:
    """The place of each row among its user's, from 0; rows by user."""
    counts = np.bincount(user)
    return np.arange(len(user)) - (np.cumsum(counts) - counts)[user]


def _firsts(order: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """The rows with which something new begins, (n_purchases,) bool; `changes` (n_purchases − 1,): of neighbours in `order`."""
    first = np.zeros(len(order), dtype=bool)
    first[order[:1]] = True
    first[order[1:][changes]] = True
    return first
