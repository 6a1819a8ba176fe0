"""Reads data/prepared/items.parquet: its columns, and the items of a split."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from pipeline.core.errors import UserError

REMEDY = "run `dvc repro catalogue_prepare`"


def read_items(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Read these columns of every item, sorted by id if the id is among them.

    Args:
        path: Data/prepared/items.parquet.
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


def select_split(items: pd.DataFrame, split: str, path: Path) -> pd.DataFrame:
    """Select the rows of a split, in their order; each has a description.

    Args:
        items: With columns `split` and `description`.
        split: train, validation or test.
        path: Where the items were read, for messages.

    Raises:
        UserError: the split is empty, or has an item without description.
    """
    selected = items[items["split"] == split].reset_index(drop=True)
    if selected.empty:
        raise UserError(
            f"{path}: no item with split {split}; check catalogue_prepare.min_items_per_type and "
            "catalogue_prepare.split in params.yaml"
        )
    if selected["description"].isna().any():
        n_missing = selected["description"].isna().sum()
        raise UserError(
            f"{path}: {n_missing} items of split {split} have no description; run `dvc repro catalogue_prepare`"
        )
    return selected
