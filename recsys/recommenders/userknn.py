"""UserKNN: score(u, i) = sum of the similarities of u to those of its neighbours who have bought i.

`neighbourhood: standard` takes the k users nearest to u, without u. `elliot` equals Elliot 0.3.1's UserKNN
(implementation `standard`), whose neighbourhood is transposed: u is scored from the users who have *u* among *their* k
nearest, and every user is one of its own. A user who is in no user's neighbourhood has only zeros there, and a list of
the first unseen items. `similarity` and `shrink`: `recsys.recommenders._neighbours`.

`sample: 0.125` draws an eighth of the users by the seed of the run. They alone may be neighbours, of every user: time
and memory are an eighth. docs/cluster.md says how to find out whether the lists may stand for those of all users.
"""

from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from features.files import Rows
from recsys.purchases.dataset import Dataset
from recsys.ranking.scorers import SparseProduct
from recsys.ranking.settings import Run
from recsys.recommenders._neighbours import NeighbourSettings, find_nearest

SEEDED = False  # one run, also of a sample
NEEDS_FEATURES = False
RANKS_COLD = False
DRAW = 1  # beside the seed: other draws by the same seed choose other users


class Settings(NeighbourSettings):
    """Section `rec_fit.userknn` of params.yaml."""

    sample: Annotated[float, Field(ge=0, le=1)]

    @model_validator(mode="after")
    def _check_sample(self) -> "Settings":
        if self.sample and self.neighbourhood == "elliot":
            raise ValueError(
                f"sample: {self.sample} needs neighbourhood: standard; with elliot only users of the sample would be "
                "scored from others; set sample to 0 or neighbourhood to standard"
            )
        return self


def fit(data: Dataset, settings: Settings, run: Run, features: Rows | None = None) -> SparseProduct:
    """Find the neighbours of every user."""
    return fit_some(data, settings, run)


def fit_some(data: Dataset, settings: Settings, run: Run, users: np.ndarray | None = None) -> SparseProduct:
    """Find the neighbours of some users, whose lists alone are wanted.

    Args:
        data: the purchases.
        settings: of the section.
        run: seed, threads and sharing.
        users: ascending; None: all.

    Returns:
        Scores of these users, numbered from 0.
    """
    elliot = settings.neighbourhood == "elliot"
    among = draw_users(data.train.shape[0], settings.sample, run.seed) if settings.sample else None
    similar = find_nearest(
        data.train,
        settings.k,
        elliot,
        run.threads,
        settings.similarity,
        settings.shrink,
        run.share(),
        of=None if elliot else users,
        among=among,
    )
    if elliot:  # row u holds the users that score for u
        similar = similar.T.tocsr() if users is None else similar.T.tocsr()[users]
    return SparseProduct(left=similar, right=data.train if among is None else data.train[among])


def draw_users(n_users: int, share: float, seed: int) -> np.ndarray:
    """Draw a share of the users, at least one, ascending.

    >>> draw_users(8, 0.5, 42).tolist() == draw_users(8, 0.5, 42).tolist(), len(draw_users(8, 0.5, 42))
    (True, 4)
    """
    size = max(1, round(share * n_users))
    return np.sort(np.random.default_rng((seed, DRAW)).choice(n_users, size, replace=False, shuffle=False))
