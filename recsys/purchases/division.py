"""Purchases divided into train, test and validation, and what each part holds."""

import numpy as np

from pipeline.core.errors import UserError
from recsys.purchases import splits
from recsys.purchases.settings import RecInteractions
from recsys.purchases.splits import Purchases


def divide(purchases: Purchases, params: RecInteractions) -> dict[str, Purchases]:
    """Divide purchases into train, test and validation, each by user, day and file order.

    Raises:
        UserError: no purchase is left for train or for test.
    """
    n_before = len(purchases)
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
    parts = {"train": train, "test": purchases.where(test), "validation": train.where(late)}
    if n_before:
        _refuse_empty(parts, params)
    return parts


def count_parts(parts: dict[str, Purchases], n_users: int, n_items: int) -> dict[str, int]:
    """Count the purchases, users and items of a split, and the cold ones: in test, but not in train."""
    train, test = parts["train"], parts["test"]
    has_train, has_test = (np.bincount(part.user, minlength=n_users) > 0 for part in (train, test))
    in_train, in_test = (np.bincount(part.item, minlength=n_items) > 0 for part in (train, test))
    purchases = {f"{name}_purchases": len(part) for name, part in parts.items()}
    return purchases | {
        "train_users": int(has_train.sum()),
        "test_users": int(has_test.sum()),
        "cold_users": int((has_test & ~has_train).sum()),
        "test_purchases_of_cold_users": int((~has_train)[test.user].sum()),
        "train_items": int(in_train.sum()),
        "test_items": int(in_test.sum()),
        "cold_items": int((in_test & ~in_train).sum()),
        "test_purchases_of_cold_items": int((~in_train)[test.item].sum()),
    }


def _refuse_empty(parts: dict[str, Purchases], params: RecInteractions) -> None:
    for name in ("train", "test"):
        if not len(parts[name]):
            raise UserError(
                f"rec_interactions: no purchase is left for {name}; with split {params.split}, "
                f"test_share {params.test_share}, test_days {params.test_days} and few_purchases "
                f"{params.few_purchases} (min_purchases {params.min_purchases}) every one is on the other side or "
                "left out; change them in params.yaml"
            )
