"""Random: unseen items in a random order, none twice (Elliot draws with replacement: duplicates in a list)."""

from pipeline.features import Rows
from recsys.dataset import Dataset
from recsys.recommenders import Drawn, Options

SEEDED = True
NEEDS_FEATURES = False


def fit(data: Dataset, options: Options, seed: int, features: Rows | None = None) -> Drawn:
    return Drawn(seed)
