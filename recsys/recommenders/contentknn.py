"""Content kNN: score(u, i) = cosine of i's features to the mean of the features of what u has bought.

Features are centred on their mean over the items of the fit, so that what all items share counts for nothing, and have
length 1. Nothing is learned from other users, so the score of an item that nobody has bought is as good as any, and no
random number is drawn. A rating above 0 is the weight of an item in the user's mean. Pazzani and Billsus (2007) call
such a mean a user's profile.
"""

from collections.abc import Mapping

import numpy as np

from features.files import Rows
from pipeline.core.params import Section
from recsys.purchases.dataset import Dataset
from recsys.ranking.scorers import Factors, ItemFactors
from recsys.ranking.settings import Run
from recsys.recommenders._standards import find_standards, scale_rows

SEEDED = False
NEEDS_FEATURES = True
RANKS_COLD = True


class Settings(Section):
    """Section `rec_fit.contentknn` of params.yaml: no keys."""


def fit(data: Dataset, settings: Settings, run: Run, features: Rows | None = None) -> Factors:
    """Average the features of what each user has bought.

    Raises:
        UserError: there is another number of features than of items, or a feature is not finite.
    """
    assert features is not None
    centre, _ = find_standards(features, data.item_ids)
    learned = {"centre": centre}
    items = project(learned, features)
    return Factors(scale_rows(data.train @ items.vectors), items.vectors, items.bias, learned)


def project(learned: Mapping[str, np.ndarray], features: Rows) -> ItemFactors:
    """Return the centred features of items, in the fit or not, with length 1.

    Args:
        learned: `centre`, the mean over the items of the fit, (dim,).
        features: (n_items, dim).
    """
    vectors = np.empty(features.shape, dtype=np.float32)
    for part, block in features.blocks():
        vectors[part] = scale_rows(block - learned["centre"])
    return ItemFactors(vectors, np.zeros(len(vectors), dtype=np.float32))
