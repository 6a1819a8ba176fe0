"""The one reader of data/prepared/items.parquet: its columns, and the items of a split."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from pipeline.core.errors import UserError

REMEDY = "run `dvc repro catalogue_prepare`"


def read_items(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read these columns of every item, sorted by id if the id is among them.

    Args:
        path: data/prepared/items.parquet.
        columns: their names.

    Raises:
        UserError: the file is missing, is not Parquet, or lacks a column.
    """
    try:
        stored = pq.read_schema(path).names
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {REMEDY}") from None
    except ValueError as error:  # pyarrow's ArrowInvalid is one
        raise UserError(f"{path}: not a Parquet file: {error}; {REMEDY}") from error
    missing = [column for column in columns if column not in stored]
    if missing:
        raise UserError(f"{path}: no column {', '.join(missing)}; it has: {', '.join(stored)}; {REMEDY}")
    items = pd.read_parquet(path, columns=list(columns))
    return items.sort_values("item_id", ignore_index=True) if "item_id" in columns else items


def of_split(items: pd.DataFrame, split: str, path: Path) -> pd.DataFrame:
    """The rows of a split, in their order; each has a description.

    Args:
        items: with columns `split` and `description`.
        path: where they were read, for messages.

    Raises:
        UserError: the split is empty, or has an item without description.
    """
    chosen = items[items["split"] == split].reset_index(drop=True)
    if chosen.empty:
        raise UserError(f"{path}: no item with split {split}; check the filters and shares of catalogue_prepare")
    if chosen["description"].isna().any():
        raise UserError(f"{path}: {chosen['description'].isna().sum()} items of split {split} have no description")
    return chosen
