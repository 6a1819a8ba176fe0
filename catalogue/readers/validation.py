"""Checks of raw data: each says which file, what was found, what is needed, what to do."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from pipeline.core.errors import UserError


def require_folder(folder: Path, what_to_do: str) -> None:
    """Raises: UserError: there is no such folder."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; {what_to_do}")


def require_file(path: Path, what_to_do: str) -> None:
    """Raises: UserError: there is no such file."""
    if not path.is_file():
        raise UserError(f"{path}: no such file; {what_to_do}")


def require_columns(path: Path, found: Iterable[str], needed: Iterable[str]) -> None:
    """Raises: UserError: a column that is needed is not there; the message names the columns found."""
    found = list(found)
    missing = [column for column in needed if column not in found]
    if missing:
        raise UserError(
            f"{path}: no column {', '.join(missing)}; found {', '.join(found)}; use the file as it was published, or add the column"
        )


def require_values(path: Path, table: pd.DataFrame, columns: Iterable[str]) -> None:
    """Raises: UserError: a value is missing in a column that must be full."""
    for column in columns:
        empty = table[column].isna().to_numpy()
        if empty.any():
            raise UserError(
                f"{path}: column {column} is empty in {empty.sum()} row(s), first in row {empty.argmax() + 1}; fill it or remove the row"
            )


def require_unique(path: Path, column: str, values: pd.Series) -> None:
    """Raises: UserError: a value comes more than once."""
    repeated = values[values.duplicated()]
    if len(repeated):
        raise UserError(
            f"{path}: {column} {repeated.iloc[0]} comes more than once ({repeated.nunique()} such ids); keep one row of each"
        )
