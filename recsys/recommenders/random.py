"""Random: unseen items in a random order, no item twice (Elliot draws with replacement: duplicates in a list)."""

from features.files import Rows
from pipeline.core.params import Section
from recsys.purchases.dataset import Dataset
from recsys.ranking.scorers import RandomOrder
from recsys.ranking.settings import Run

SEEDED = True
NEEDS_FEATURES = False
RANKS_COLD = False


class Settings(Section):
    """Section `rec_fit.random` of params.yaml: no keys."""


def fit(data: Dataset, settings: Settings, run: Run, features: Rows | None = None) -> RandomOrder:
    """Return random orders that depend on the seed and the user alone."""
    return RandomOrder(run.seed)
