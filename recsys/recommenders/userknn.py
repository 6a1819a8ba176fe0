"""UserKNN by cosine: score(u, i) = sum of the similarities of u to the users who have bought i, as far as they are neighbours.

`neighbourhood: standard` takes the k users nearest to u, u not counted. `elliot` equals Elliot 0.3.1's UserKNN (`standard`
implementation), whose neighbourhood is transposed: u is scored from the users who have *u* among *their* k nearest, each
being one of its own. Whoever is in nobody's neighbourhood has only zeros there, and a list of the first unseen items.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from recsys.neighbours import nearest
from recsys.recommenders import Options

SEEDED = False
NEEDS_FEATURES = False


@dataclass(frozen=True)
class UserNeighbours:
    train: sp.csr_matrix  # (n_users, n_items)
    weights: sp.csr_matrix  # (n_users, n_users): row u holds the users that score for u

    def scores(self, users: np.ndarray) -> sp.csr_matrix:
        return self.weights[users] @ self.train


def fit(train: sp.csr_matrix, options: Options, seed: int, features: np.ndarray | None = None) -> UserNeighbours:
    elliot = options.neighbourhood == "elliot"
    similar = nearest(train, options.userknn_k, itself=elliot, threads=options.threads)
    return UserNeighbours(train, similar.T.tocsr() if elliot else similar)
