"""The kinds of scores that a fitted recommender returns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import scipy.sparse as sp


class Scorer(Protocol):
    """A fitted recommender."""

    def scores(self, users: np.ndarray) -> np.ndarray | sp.csr_matrix:
        """Score every item for some users.

        Args:
            users: rows of train, (n,).

        Returns:
            (n, n_items) float32; an entry that a sparse matrix does not store is 0.
        """
        ...


class ItemFactors(NamedTuple):
    """Items as dense vectors: vectors (n_items, width) float32, and bias (n_items,) float32."""

    vectors: np.ndarray
    bias: np.ndarray


@dataclass(frozen=True)
class Factors:
    """Scores that are products of dense vectors: score(u, i) = user[u] · item[i] + bias[i].

    Attributes:
        user: (n_users, width) float32.
        item: (n_items, width) float32.
        bias: (n_items,) float32.
        learned: what `project` of a recommender that ranks cold items needs beside their features; else empty.
    """

    user: np.ndarray
    item: np.ndarray
    bias: np.ndarray
    learned: Mapping[str, np.ndarray] = field(default_factory=dict)

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Score every item for some users: (len(users), n_items) float32."""
        return self.user[users] @ self.item.T + self.bias


@dataclass(frozen=True)
class SparseProduct:
    """Scores that are a product of two sparse matrices without negative entries.

    Attributes:
        left: (n_users, n_between) float32.
        right: (n_between, n_items) float32.
    """

    left: sp.csr_matrix
    right: sp.csr_matrix

    def scores(self, users: np.ndarray) -> sp.csr_matrix:
        """Score every item for some users: (len(users), n_items)."""
        return self.left[users] @ self.right


@dataclass(frozen=True)
class SameForAll:
    """The same scores for every user.

    Attributes:
        item: (n_items,) float32.
    """

    item: np.ndarray

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Return the scores once for each user: (len(users), n_items)."""
        return np.broadcast_to(self.item, (len(users), len(self.item)))


@dataclass(frozen=True)
class RandomOrder:
    """A random order of the items for each user, which depends on the seed, the user, and how many items are drawn.

    Only the beginning of an order is drawn, so there are no scores of every item.
    """

    seed: int

    def first(self, user: int, size: int, n_items: int) -> np.ndarray:
        """Draw the first items of a user's order: (size,) different numbers below `n_items`."""
        return np.random.default_rng((self.seed, user)).choice(n_items, size, replace=False)
