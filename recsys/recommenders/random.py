"""Random: unseen items in a random order, none twice (Elliot draws with replacement: duplicates in a list)."""

from features.files import Rows
from recsys.purchases.dataset import Dataset
from recsys.ranking.options import Options
from recsys.ranking.scorers import Drawn

SEEDED = True
NEEDS_FEATURES = False


def fit(data: Dataset, options: Options, seed: int, features: Rows | None = None) -> Drawn:
    return Drawn(seed)
