"""MostPop: every user is offered what most different users have bought. Equal to Elliot's MostPop."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from recsys.recommenders import Options

SEEDED = False
NEEDS_FEATURES = False


@dataclass(frozen=True)
class Popularity:
    buyers: np.ndarray  # (n_items,) float32, exact up to 2^24 buyers

    def scores(self, users: np.ndarray) -> np.ndarray:
        return np.broadcast_to(self.buyers, (len(users), len(self.buyers)))


def fit(train: sp.csr_matrix, options: Options, seed: int, features: np.ndarray | None = None) -> Popularity:
    return Popularity(np.bincount(train.indices, minlength=train.shape[1]).astype(np.float32))
