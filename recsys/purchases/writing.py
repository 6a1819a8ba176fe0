"""The files of `data/interactions/`."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from pipeline.core.outputs import new_folder, write_json, write_parquet
from recsys.purchases.dataset import CATALOGUES, PUBLISHED
from recsys.purchases.division import count_parts, divide
from recsys.purchases.settings import RecInteractions
from recsys.purchases.splits import Purchases


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
