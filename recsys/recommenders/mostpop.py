"""MostPop: every user is offered what most different users have bought. Equal to Elliot's MostPop.

With `half_life_days` h above 0 a buyer counts 2^(−age / h), where age is the number of days between the user's last
purchase of the item and the last day of train: recent purchases then count more. With 0 every buyer counts 1.
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from features.files import Rows
from pipeline.core.errors import UserError
from pipeline.core.params import Section
from recsys.purchases.dataset import Dataset
from recsys.ranking.scorers import SameForAll
from recsys.ranking.settings import Run

SEEDED = False
NEEDS_FEATURES = False
RANKS_COLD = False


class Settings(Section):
    """Section `rec_fit.mostpop` of params.yaml."""

    half_life_days: Annotated[float, Field(ge=0)]


def fit(data: Dataset, settings: Settings, run: Run, features: Rows | None = None) -> SameForAll:
    """Count the buyers of each item.

    Raises:
        UserError: `half_life_days` is above 0, and the purchases have no days.
    """
    n_items = data.train.shape[1]
    if not settings.half_life_days:
        return SameForAll(np.bincount(data.train.indices, minlength=n_items).astype(np.float32))  # exact up to 2^24
    if data.last_day is None:
        raise UserError(
            f"half_life_days: the purchases have no days, which {settings.half_life_days} needs; "
            "set it to 0, or give a file with timestamps"
        )
    age = data.last_day.max(initial=0) - data.last_day.astype(np.float64)
    weight = np.exp2(-age / settings.half_life_days)
    return SameForAll(np.bincount(data.train.indices, weight, minlength=n_items).astype(np.float32))
