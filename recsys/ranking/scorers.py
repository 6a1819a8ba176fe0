"""The kinds of scores that a fitted recommender returns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
import scipy.sparse as sp

from features.files import Rows, number_rows


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


class DifferentItems(NamedTuple):
    """Items that differ, and the number of every item among them, (n_items,) int64; None where all differ."""

    items: ItemFactors
    number: np.ndarray | None


def find_different(items: ItemFactors) -> DifferentItems:
    """Find the items that differ: a product may round equal columns differently, and then they were no ties."""
    number = number_rows([np.column_stack(items)])
    first = np.unique(number, return_index=True)[1]
    if len(first) == len(number):
        return DifferentItems(items, None)
    return DifferentItems(ItemFactors(items.vectors[first], items.bias[first]), number)


def score_different(user: np.ndarray, different: DifferentItems) -> np.ndarray:
    """Score every item for some users: (len(user), n_items) float32.

    Args:
        user: (n, width) float32.
        different: of `find_different`.
    """
    scores = user @ different.items.vectors.T + different.items.bias
    return scores if different.number is None else scores[:, different.number]


def project_items(
    project: Callable[[Mapping[str, np.ndarray], Rows], ItemFactors], learned: Mapping[str, np.ndarray], features: Rows
) -> ItemFactors:
    """Project items that were not in the fit; those of equal features get equal factors in all digits: they are ties.

    Args:
        project: of the recommender.
        learned: what it needs.
        features: of the items, (n, dim).
    """
    different, number = features.find_different()
    projected = project(learned, different)
    return ItemFactors(projected.vectors[number], projected.bias[number])


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

    @cached_property
    def different(self) -> "DifferentItems":
        """The items, those of equal vectors once."""
        return find_different(ItemFactors(self.item, self.bias))

    def scores(self, users: np.ndarray) -> np.ndarray:
        """Score every item for some users: (len(users), n_items) float32; items of equal vectors score the same."""
        return score_different(self.user[users], self.different)


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
