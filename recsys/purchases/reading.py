"""Items and purchases of `data/prepared/`, with users and items as numbers."""

from pathlib import Path
from typing import NoReturn

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from catalogue.prepared import items as prepared
from pipeline.core.errors import UserError
from recsys.purchases.splits import Purchases


def read_items(path: Path) -> pl.DataFrame:
    """Read `item` (a number, by id), `item_id` and `original` of every item.

    Raises:
        UserError: an id comes more than once.
    """
    table = prepared.read_items(path, ["item_id", "original"])
    ids = pl.Series("item_id", table["item_id"].to_numpy(object), dtype=pl.String)
    items = pl.DataFrame([ids, pl.Series("original", table["original"].to_numpy(bool))])
    repeated = ids.filter(ids.is_duplicated())
    if len(repeated):
        raise UserError(
            f"{path}: {repeated.n_unique()} item ids come more than once, first {repeated[0]}; "
            "run `dvc repro catalogue_prepare`"
        )
    return items.select(pl.int_range(pl.len(), dtype=pl.Int32).alias("item"), "item_id", "original")


def read_purchases(items: pl.DataFrame, path: Path) -> tuple[Purchases, np.ndarray, int]:
    """Read the purchases of some items.

    The file is read once, and only numbers stay in memory: a user's id is stored once, however much the user buys.

    Args:
        items: of `read_items`.
        path: a Parquet file with `user_id`, `item_id` and `day`.

    Returns:
        The purchases of these items with users numbered by their sorted ids, those ids, and how many purchases the file
        has.

    Raises:
        UserError: there are purchases, but none of an article with an image.
    """
    table = choose_known(pl.scan_parquet(path), items).collect(engine="streaming")
    n_all = pq.read_metadata(path).num_rows
    if table.is_empty() and n_all:
        refuse_unknown_items(items, path, n_all)
    user, user_ids = number_by_id(table["user_id"])
    return Purchases(user, table["item"].to_numpy(), table["day"].to_numpy()), user_ids, n_all


def choose_known(rows: pl.LazyFrame, items: pl.DataFrame) -> pl.LazyFrame:
    """Choose the purchases of some items: the user's id as a category, the item's number, and the day.

    Args:
        rows: `user_id`, `item_id` and `day`.
        items: of `read_items`.
    """
    numbered = pl.Enum(items["item_id"])  # any other id becomes null
    columns = rows.select(
        pl.col("user_id").cast(pl.Categorical(pl.Categories.random())),
        pl.col("item_id").cast(numbered, strict=False).to_physical().cast(pl.Int32).alias("item"),
        pl.col("day").cast(pl.Int32),
    )
    return columns.filter(pl.col("item").is_not_null())


def refuse_unknown_items(items: pl.DataFrame, path: Path, n_all: int) -> NoReturn:
    """Refuse purchases of which none is of an item.

    Raises:
        UserError: always; the message has the first ids of both.
    """
    bought, known = pl.read_parquet(path, n_rows=5)["item_id"].to_list(), items.head(5)["item_id"].to_list()
    raise UserError(
        f"{path}: none of {n_all:,} purchases is of an article of items.parquet: {', '.join(bought)} … there, "
        f"{', '.join(known)} … here; article ids must be strings of ten digits in both"
    )


def number_by_id(column: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the position of each row's id among the sorted ids, (n_rows,) int32, and those ids."""
    different = column.unique()
    names = different.cast(pl.String)
    order = names.arg_sort()
    code = different.to_physical().to_numpy()
    number = np.zeros(int(code.max(initial=0)) + 1, dtype=np.int32)
    number[code[order.to_numpy()]] = np.arange(len(code), dtype=np.int32)
    return number[column.to_physical().to_numpy()], names.gather(order).to_numpy()
