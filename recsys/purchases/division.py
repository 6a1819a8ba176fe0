"""Purchases sampled, divided into train, test and validation, counted, and written to `data/interactions/`."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.core.errors import UserError
from pipeline.core.outputs import new_folder, write_json, write_parquet
from recsys.purchases import splits
from recsys.purchases.dataset import CATALOGUES, PUBLISHED
from recsys.purchases.settings import RecInteractions
from recsys.purchases.splits import Purchases

SAMPLES = {"10M": 10_000_000, "2M": 2_000_000}
Parts = dict[str, Purchases]  # train, test and validation


def draw_sample(purchases: Purchases, user_ids: np.ndarray, params: RecInteractions) -> tuple[Purchases, np.ndarray]:
    """Return the purchases of the sample that `params` names, its users numbered anew, and their ids."""
    if params.sampling == "full":
        return purchases, user_ids
    if params.sampling_study:
        purchases = purchases.where(splits.is_first_of_day(purchases))
    sample = purchases.where(splits.is_in_sample(purchases, SAMPLES[params.sampling], params.sampling_seed))
    users, user = np.unique(sample.user, return_inverse=True)
    return Purchases(user.astype(np.int32), sample.item, sample.day), user_ids[users]


def divide(purchases: Purchases, params: RecInteractions) -> Parts:
    """Divide purchases into train, test and validation, each by user, day and file order.

    Raises:
        UserError: no purchase is left for train or for test.
    """
    parts = divide_rows(purchases, params)
    if len(purchases):
        refuse_empty({name: len(part) for name, part in parts.items()}, params)
    return parts


def divide_rows(purchases: Purchases, params: RecInteractions) -> Parts:
    """Divide purchases as `divide` does; parts may be empty."""
    if params.repeats == "drop":
        purchases = purchases.where(splits.is_first_of_item(purchases))
    if params.few_purchases == "drop":
        purchases = purchases.where(~splits.has_few(purchases, params.min_purchases))
    purchases = purchases.where(splits.order_by_user(purchases))
    if params.split == "date":
        test = splits.is_test_by_date(purchases, params.test_days, params.min_purchases, params.few_purchases)
    else:
        test = splits.is_test_by_user(purchases, params.test_share, params.min_purchases, params.few_purchases)
    train = purchases.where(~test)
    late = splits.is_validation(train, params.validation_purchases)
    return {"train": train, "test": purchases.where(test), "validation": train.where(late)}


def count_parts(parts: Parts, n_users: int, n_items: int) -> dict[str, int]:
    """Count the purchases, users and items of a split, and the cold ones: in test, but not in train."""
    tally = Tally(n_items)
    tally.add(parts, n_users)
    return tally.counts()


class Tally:
    """Counts of a split whose users come in ranges, one range after another."""

    def __init__(self, n_items: int) -> None:
        self.added: Counter[str] = Counter()
        self.train_items, self.test_items = np.zeros(n_items, np.int64), np.zeros(n_items, np.int64)

    def add(self, parts: Parts, n_users: int) -> None:
        """Add the purchases of users who are numbered from 0."""
        train, test = parts["train"], parts["test"]
        has_train, has_test = (np.bincount(part.user, minlength=n_users) > 0 for part in (train, test))
        self.train_items += np.bincount(train.item, minlength=len(self.train_items))
        self.test_items += np.bincount(test.item, minlength=len(self.test_items))
        purchases = {f"{name}_purchases": len(part) for name, part in parts.items()}
        self.added.update(
            purchases
            | {
                "train_users": int(has_train.sum()),
                "test_users": int(has_test.sum()),
                "cold_users": int((has_test & ~has_train).sum()),
                "test_purchases_of_cold_users": int((~has_train)[test.user].sum()),
            }
        )

    def counts(self) -> dict[str, int]:
        """Return what was counted."""
        in_train, in_test = self.train_items > 0, self.test_items > 0
        return dict(self.added) | {
            "train_items": int(in_train.sum()),
            "test_items": int(in_test.sum()),
            "cold_items": int((in_test & ~in_train).sum()),
            "test_purchases_of_cold_items": int(self.test_items[~in_train].sum()),
        }


def refuse_empty(sizes: Mapping[str, int], params: RecInteractions) -> None:
    """Refuse a split without train or test.

    Args:
        sizes: purchases of each part.
        params: how they were divided, for the message.

    Raises:
        UserError: no purchase is left for train or for test.
    """
    for name in ("train", "test"):
        if not sizes[name]:
            raise UserError(
                f"rec_interactions: no purchase is left for {name}; with split {params.split}, "
                f"test_share {params.test_share}, test_days {params.test_days} and few_purchases "
                f"{params.few_purchases} (min_purchases {params.min_purchases}) every one is on the other side or "
                "left out; change them in params.yaml"
            )


def write_interactions(
    folder: Path, items: pl.DataFrame, user_ids: np.ndarray, purchases: Purchases, params: RecInteractions
) -> dict[str, Any]:
    """Divide the purchases, and write users, items, train, test, validation and counts.

    Args:
        folder: where to.
        items: `item`, `item_id` and `original`.
        user_ids: the id of each user number.
        purchases: of these users and items.
        params: how to divide.

    Returns:
        The counts.

    Raises:
        UserError: no purchase is left for train or for test.
    """
    original = items["original"].to_numpy()
    parts = divide(purchases, params)
    counts: dict[str, Any] = {"evaluation": params.evaluation, "users": len(user_ids)}
    with new_folder(folder) as partial:
        write_parquet(partial / "users.parquet", tabulate_users(user_ids))
        write_parquet(partial / "items.parquet", items.to_arrow(compat_level=pl.CompatLevel.oldest()))
        _write_parts(partial, parts)
        for catalogue in CATALOGUES:
            members = original if catalogue == "original" else np.ones_like(original)
            own = {name: part.where(members[part.item]) for name, part in parts.items()}
            if params.evaluation == "published":
                own = divide(purchases.where(members[purchases.item]), params)
                _write_parts(partial / PUBLISHED / catalogue, own)
            counts[catalogue] = count_parts(own, len(user_ids), len(items))
        write_json(partial / "counts.json", counts)
    return counts


def tabulate_users(user_ids: np.ndarray, first: int = 0) -> pa.Table:
    """Return the columns `user`, numbers from `first` on, and `user_id`."""
    number = np.arange(first, first + len(user_ids), dtype=np.int32)
    users = pl.DataFrame({"user": number, "user_id": pl.Series(user_ids, dtype=pl.String)})
    return users.to_arrow(compat_level=pl.CompatLevel.oldest())


def tabulate(purchases: Purchases) -> pa.Table:
    """Return the columns `user`, `item` and `day`."""
    return pa.table({"user": purchases.user, "item": purchases.item, "day": purchases.day})


def _write_parts(folder: Path, parts: dict[str, Purchases]) -> None:
    for name, part in parts.items():
        write_parquet(folder / f"{name}.parquet", tabulate(part))
