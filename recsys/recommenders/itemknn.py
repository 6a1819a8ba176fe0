"""ItemKNN: score(u, i) = sum of the similarities of i to those of its neighbours that u has bought.

`neighbourhood: elliot` equals Elliot 0.3.1's ItemKNN (implementation `standard`): the k neighbours are those of the
*candidate* i, and i is one of its own. `standard` (Deshpande and Karypis 2004; implicit, RecTools) takes the k
neighbours of each *bought* item, without the item. `similarity` and `shrink`: `recsys.recommenders._neighbours`.
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
    """Section `rec_fit.itemknn` of params.yaml."""


def fit(data: Dataset, settings: Settings, run: Run, features: Rows | None = None) -> SparseProduct:
    """Find the neighbours of every item."""
    elliot = settings.neighbourhood == "elliot"
    items, sharing = data.train.T.tocsr(), run.share()
    similar = find_nearest(items, settings.k, elliot, run.threads, settings.similarity, settings.shrink, sharing)
    weights = similar.T.tocsr() if elliot else similar  # from the bought item (row) to the candidate (column)
    return SparseProduct(left=data.train, right=weights)
