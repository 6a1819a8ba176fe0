"""The kinds of scores that a fitted recommender returns."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy.sparse as sp


class Scorer(Protocol):
    """A fitted recommender."""

    def scores(self, users: np.ndarray) -> np.ndarray | sp.csr_matrix:
        """Scores of every item for these rows of train: (len(users), n_items) float32; what a sparse matrix lacks is 0."""
        ...


@dataclass(frozen=True)
class Product:
    """Scores that are a product of two sparse matrices without negative entries."""

    left: sp.csr_matrix  # (n_users, n_between) float32
    right: sp.csr_matrix  # (n_between, n_items) float32

    def scores(self, users: np.ndarray) -> sp.csr_matrix:
        return self.left[users] @ self.right


@dataclass(frozen=True)
class Shared:
    """The same scores for every user."""

    item: np.ndarray  # (n_items,) float32

    def scores(self, users: np.ndarray) -> np.ndarray:
        return np.broadcast_to(self.item, (len(users), len(self.item)))


@dataclass(frozen=True)
class Drawn:
    """A random order of the items for each user, of whom it alone depends; only its beginning is drawn."""

    seed: int

    def first(self, user: int, size: int, n_items: int) -> np.ndarray:
        """The first `size` of n_items: (size,) different numbers."""
        return np.random.default_rng((self.seed, user)).choice(n_items, size, replace=False)
