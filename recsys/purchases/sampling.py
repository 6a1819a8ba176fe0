"""Samples of whole users."""

import numpy as np

from recsys.purchases import splits
from recsys.purchases.settings import RecInteractions
from recsys.purchases.splits import Purchases

SAMPLES = {"10M": 10_000_000, "2M": 2_000_000}


def draw_sample(purchases: Purchases, user_ids: np.ndarray, params: RecInteractions) -> tuple[Purchases, np.ndarray]:
    """Return the purchases of the sample that `params` names, its users numbered anew, and their ids."""
    if params.sampling == "full":
        return purchases, user_ids
    if params.sampling_study:
        purchases = purchases.where(splits.is_first_of_day(purchases))
    sample = purchases.where(splits.is_in_sample(purchases, SAMPLES[params.sampling], params.sampling_seed))
    users, user = np.unique(sample.user, return_inverse=True)
    return Purchases(user.astype(np.int32), sample.item, sample.day), user_ids[users]
