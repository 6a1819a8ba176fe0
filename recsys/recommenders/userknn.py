"""UserKNN: score(u, i) = sum of the similarities of u to the users who have bought i, as far as they are neighbours.

`neighbourhood: standard` takes the k users nearest to u, u not counted. `elliot` equals Elliot 0.3.1's UserKNN (`standard`
implementation), whose neighbourhood is transposed: u is scored from the users who have *u* among *their* k nearest, each
being one of its own. Whoever is in nobody's neighbourhood has only zeros there, and a list of the first unseen items.
`similarity` and `shrink`: `recsys.recommenders._neighbours`.
"""

from features.files import Rows
from recsys.purchases.dataset import Dataset
from recsys.ranking.options import Options
from recsys.ranking.scorers import Product
from recsys.recommenders._neighbours import nearest

SEEDED = False
NEEDS_FEATURES = False


def fit(data: Dataset, options: Options, seed: int, features: Rows | None = None) -> Product:
    elliot = options.neighbourhood == "elliot"
    similar = nearest(data.train, options.userknn_k, elliot, options.threads, options.similarity, options.shrink)
    weights = similar.T.tocsr() if elliot else similar  # row u holds the users that score for u
    return Product(left=weights, right=data.train)
