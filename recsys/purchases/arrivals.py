"""Items as new arrivals: none of their purchases is in train, and they are ranked for users by their features alone.

Of the split in `data/interactions/`, in the catalogue `original`:

- arrivals are the captioning test items, whole products. All their purchases leave train, as bought and as other items,
  and are what a ranking is scored on;
- fit items are the others that some user has bought in train: recommenders learn from train purchases of these alone;
- a user's history is the user's train purchases of fit items. Who has none is left out and counted;
- relevant are the different arrivals that a user bought, in train or in test.

While a recommender is tuned, the captioning validation items are the arrivals: their purchases leave train too, and
those in train are relevant (test purchases choose nothing). For the final fit they come back.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pipeline.core.errors import UserError
from recsys.purchases.dataset import COMMON, Dataset, Split, restrict

TEST, VALIDATION = "test", "validation"  # captioning splits whose items are the arrivals


@dataclass(frozen=True)
class Arrivals:
    """New arrivals, and the purchases that a recommender learns from without them.

    Attributes:
        data: what a recommender is fitted on: fit items and users with a history.
        items: the arrivals, indices of data/interactions/items.parquet, ascending: (n_arrivals,) int32.
        item_ids: the id of each arrival.
        relevant: the arrivals that each user of `data` bought: (n_users, n_arrivals) binary.
        users_without_history: how many users bought an arrival, but have no history.
    """

    data: Dataset
    items: np.ndarray
    item_ids: list[str]
    relevant: sp.csr_matrix
    users_without_history: int

    @property
    def users(self) -> np.ndarray:
        """Rows of `data` whose user bought an arrival: (n,)."""
        return np.flatnonzero(np.diff(self.relevant.indptr))


def find_items(split: Split, items: pd.DataFrame, captioning_split: str) -> np.ndarray:
    """Tell which items of the catalogue `original` belong to a captioning split: (n_all_items,) bool.

    Args:
        split: the items and their order.
        items: `item_id` and `split` of data/prepared/items.parquet.
        captioning_split: train, validation or test.
    """
    chosen = items.loc[items["split"] == captioning_split, "item_id"].to_numpy(str)
    return np.isin(split.item_ids.astype(str), chosen) & split.members(COMMON)


def hold_out_test(split: Split, items: pd.DataFrame) -> Arrivals:
    """Take the captioning test items as arrivals; the validation items are fit items.

    Args:
        split: of the catalogue `original` (`read_split`).
        items: `item_id` and `split` of data/prepared/items.parquet.

    Raises:
        UserError: no user with a history has bought an arrival, or there is nothing to learn from.
    """
    arrivals = find_items(split, items, TEST)
    return _hold_out(split, arrivals, arrivals, np.vstack([split.train, split.test]), TEST)


def hold_out_validation(split: Split, items: pd.DataFrame) -> Arrivals:
    """Take the captioning validation items as arrivals, without the test items: for tuning. See `hold_out_test`."""
    arrivals = find_items(split, items, VALIDATION)
    return _hold_out(split, arrivals, arrivals | find_items(split, items, TEST), split.train, VALIDATION)


def _hold_out(split: Split, arrivals: np.ndarray, left_out: np.ndarray, purchases: np.ndarray, name: str) -> Arrivals:
    """Leave the purchases of some items out of train.

    Args:
        split: of the catalogue `original`.
        arrivals: (n_all_items,) bool.
        left_out: the items whose purchases leave train, (n_all_items,) bool.
        purchases: users and items, (n, 2): those of arrivals are relevant.
        name: the captioning split of the arrivals, for messages.
    """
    kept = ~left_out[split.train[:, 1]]
    early = replace(
        split,
        train=split.train[kept],
        train_day=None if split.train_day is None else split.train_day[kept],
        validation=None,
    )
    data = restrict(early, COMMON)
    if not len(data.users):
        raise UserError(
            f"no user has a train purchase of an item outside the captioning split {name}, so there is nothing to "
            "learn from; leave `content_recommenders` in params.yaml empty"
        )
    bought = split.matrix(purchases, arrivals)
    relevant = bought[data.users][:, arrivals]
    if not relevant.nnz:
        raise UserError(
            f"none of the {int(arrivals.sum())} arrivals (items with split {name} in data/prepared/items.parquet) was "
            "bought by a user who has bought something else in train, so they can be ranked for nobody; check that "
            "items and purchases are of one shop, or leave `content_recommenders` in params.yaml empty"
        )
    buyers = np.diff(bought.indptr) > 0
    items = np.flatnonzero(arrivals).astype(np.int32)
    return Arrivals(
        data=data,
        items=items,
        item_ids=[str(item) for item in split.item_ids[items]],
        relevant=relevant,
        users_without_history=int(buyers.sum() - buyers[data.users].sum()),
    )
