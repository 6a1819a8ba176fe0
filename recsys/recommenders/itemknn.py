"""ItemKNN by cosine: score(u, i) = sum of the similarities of i to the items that u has bought, as far as they are neighbours.

`neighbourhood: elliot` equals Elliot 0.3.1's ItemKNN (`standard` implementation): the k neighbours are those of the
*candidate* i, and i itself is one of them. `standard` (Deshpande and Karypis 2004; implicit, RecTools) takes the k
neighbours of each *bought* item, itself not counted.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from recsys.neighbours import nearest
from recsys.recommenders import Options

SEEDED = False
NEEDS_FEATURES = False


@dataclass(frozen=True)
class ItemNeighbours:
    train: sp.csr_matrix  # (n_users, n_items)
    weights: sp.csr_matrix  # (n_items, n_items): from the bought item (row) to the candidate (column)

    def scores(self, users: np.ndarray) -> sp.csr_matrix:
        return self.train[users] @ self.weights


def fit(train: sp.csr_matrix, options: Options, seed: int, features: np.ndarray | None = None) -> ItemNeighbours:
    elliot = options.neighbourhood == "elliot"
    similar = nearest(train.T.tocsr(), options.itemknn_k, itself=elliot, threads=options.threads)
    return ItemNeighbours(train, similar.T.tocsr() if elliot else similar)
