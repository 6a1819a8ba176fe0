"""UserKNN: score(u, i) = sum of the similarities of u to those of its neighbours who have bought i.

`neighbourhood: standard` takes the k users nearest to u, without u. `elliot` equals Elliot 0.3.1's UserKNN
(implementation `standard`), whose neighbourhood is transposed: u is scored from the users who have *u* among *their* k
nearest, and every user is one of its own. A user who is in no user's neighbourhood has only zeros there, and a list of
the first unseen items. `similarity` and `shrink`: `recsys.recommenders._neighbours`.
"""

from features.files import Rows
from recsys.purchases.dataset import Dataset
from recsys.ranking.scorers import SparseProduct
from recsys.ranking.settings import Run
from recsys.recommenders._neighbours import NeighbourSettings, find_nearest

SEEDED = False
NEEDS_FEATURES = False
RANKS_COLD = False


class Settings(NeighbourSettings):
    """Section `rec_fit.userknn` of params.yaml."""


def fit(data: Dataset, settings: Settings, run: Run, features: Rows | None = None) -> SparseProduct:
    """Find the neighbours of every user."""
    elliot = settings.neighbourhood == "elliot"
    sharing = run.share()
    similar = find_nearest(data.train, settings.k, elliot, run.threads, settings.similarity, settings.shrink, sharing)
    weights = similar.T.tocsr() if elliot else similar  # row u holds the users that score for u
    return SparseProduct(left=weights, right=data.train)
