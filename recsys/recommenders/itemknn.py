"""ItemKNN: score(u, i) = sum of the similarities of i to the items that u has bought, as far as they are neighbours.

`neighbourhood: elliot` equals Elliot 0.3.1's ItemKNN (`standard` implementation): the k neighbours are those of the
*candidate* i, and i itself is one of them. `standard` (Deshpande and Karypis 2004; implicit, RecTools) takes the k
neighbours of each *bought* item, itself not counted. `similarity` and `shrink`: `recsys.recommenders._neighbours`.
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
    similar = nearest(
        data.train.T.tocsr(), options.itemknn_k, elliot, options.threads, options.similarity, options.shrink
    )
    weights = similar.T.tocsr() if elliot else similar  # from the bought item (row) to the candidate (column)
    return Product(left=data.train, right=weights)
