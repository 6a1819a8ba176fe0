"""The one reader of data/prepared/items.parquet: its columns, and the items of a split."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from pipeline.core.errors import UserError


def read_items(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """These columns of every item, sorted by id where the id is among them.

    Raises:
        UserError: no such file, one without these columns, or none that is Parquet.
    """
    try:
        items = pd.read_parquet(path, columns=list(columns))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run `dvc repro catalogue_prepare`") from None
    except ValueError as error:  # pyarrow's ArrowInvalid is one: a column is missing, or this is not Parquet
        raise UserError(f"{path}: {error}; run `dvc repro catalogue_prepare`") from error
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
