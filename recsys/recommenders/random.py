"""Random: unseen items in a random order, none twice (Elliot draws with replacement: duplicates in a list)."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from recsys.recommenders import Options

SEEDED = True
NEEDS_FEATURES = False


@dataclass(frozen=True)
class RandomScores:
    """Uniform scores from a generator per user, so that a list does not depend on who else is scored."""

    seed: int
    n_items: int

    def scores(self, users: np.ndarray) -> np.ndarray:
        rows = [np.random.default_rng((self.seed, int(user))).random(self.n_items, dtype=np.float32) for user in users]
        return np.stack(rows)


def fit(train: sp.csr_matrix, options: Options, seed: int, features: np.ndarray | None = None) -> RandomScores:
    return RandomScores(seed, train.shape[1])
