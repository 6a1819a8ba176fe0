"""MostPop: every user is offered what most different users have bought. Equal to Elliot's MostPop.

With `half_life_days` h above 0 a buyer counts 2^(−age / h), age being the days between the user's last purchase of the
item and the last day of train: what is bought now comes before what was bought most. 0 counts every buyer as 1.
"""

import numpy as np

from features.files import Rows
from pipeline.core.errors import UserError
from recsys.purchases.dataset import Dataset
from recsys.ranking.options import Options
from recsys.ranking.scorers import Shared

SEEDED = False
NEEDS_FEATURES = False


def fit(data: Dataset, options: Options, seed: int, features: Rows | None = None) -> Shared:
    """Raises: UserError: time is to count, but there are no days."""
    n_items = data.train.shape[1]
    if not options.half_life_days:
        return Shared(np.bincount(data.train.indices, minlength=n_items).astype(np.float32))  # exact up to 2^24 buyers
    if data.last_day is None:
        raise UserError("half_life_days: the purchases have no days; set it to 0, or give their time")
    age = data.last_day.max(initial=0) - data.last_day.astype(np.float64)
    weight = np.exp2(-age / options.half_life_days)
    return Shared(np.bincount(data.train.indices, weight, minlength=n_items).astype(np.float32))
