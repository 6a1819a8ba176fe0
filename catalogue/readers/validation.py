"""Checks of raw data: each message names the file, what is in it, what is needed and what to do."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from pipeline.core.errors import UserError


def require_folder(folder: Path, remedy: str) -> None:
    """Refuse a folder that does not exist.

    Raises:
        UserError: there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; {remedy}")


def require_columns(path: Path, columns: Iterable[str], needed: Iterable[str]) -> None:
    """Refuse a table without the columns that are needed.

    Raises:
        UserError: a column is missing; the message names the columns that the table has.
    """
    columns = list(columns)
    missing = [column for column in needed if column not in columns]
    if missing:
        raise UserError(
            f"{path}: no column {', '.join(missing)}; found {', '.join(columns)}; "
            "use the file as it was published, or add the column"
        )


def require_values(path: Path, table: pd.DataFrame, columns: Iterable[str]) -> None:
    """Refuse an empty cell in a column that must be full.

    Raises:
        UserError: a cell is empty; the message names the column and the first such row.
    """
    for column in columns:
        empty = table[column].isna().to_numpy()
        if empty.any():
            raise UserError(
                f"{path}: column {column} is empty in {empty.sum()} row(s), first in row {empty.argmax() + 1}; "
                "fill it or remove the row"
            )


def require_unique(path: Path, column: str, values: pd.Series) -> None:
    """Refuse an id that occurs twice.

    Raises:
        UserError: a value occurs more than once.
    """
    repeated = values[values.duplicated()]
    if len(repeated):
        raise UserError(
            f"{path}: {column} {repeated.iloc[0]} occurs more than once ({repeated.nunique()} such ids); "
            "keep one row of each"
        )
