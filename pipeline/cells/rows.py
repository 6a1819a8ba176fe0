"""Reads the rows of a CSV as texts, and refuses a row whose cells do not fit the header.

Quotes, line ends inside quotes, spaces after a comma and a byte order mark are read as Python's csv module reads them.
A row may end in commas: its empty cells beyond the header mean nothing. Any other number of cells is refused, because a
reader that fills up or cuts off would move words into other columns.
"""

import codecs
import csv
from collections.abc import Iterator, Sequence
from typing import IO

import pandas as pd

from pipeline.core.errors import UserError

OTHER_DELIMITERS = (";", "\t", "|")
ADVICE = "put a cell that holds a comma, a quote or a line end into quotes, or fetch the file again"


def read_names(file: IO[bytes], path: str) -> list[str]:
    """Read the names of the columns, without the spaces around them.

    Raises:
        UserError: the file is empty, is not UTF-8, or its first row is not a row of a CSV.
    """
    return _take_names(iterate_rows(file, path), path)


def read_table(file: IO[bytes], path: str, needed: Sequence[str] = ()) -> pd.DataFrame:
    """Read all rows as texts; a cell without characters is an empty text.

    Args:
        file: Opened in binary mode.
        path: Its name, for messages.
        needed: Columns that it must have.

    Raises:
        UserError: it is not UTF-8 with commas, lacks a column, has two columns of one name, or a row has more or fewer
            cells than the header.
    """
    rows = iterate_rows(file, path)
    names = _take_names(rows, path)
    check_names(names, path, needed)
    cells = [fit_cells(row, names, path, line) for line, row in rows if not is_blank(row)]
    columns = zip(*cells, strict=True) if cells else [()] * len(names)
    return pd.DataFrame(
        {name: pd.Series(values, dtype="str") for name, values in zip(names, columns, strict=True) if name}
    )


def iterate_rows(file: IO[bytes], path: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the last line of each row, from 1, and its cells.

    Raises:
        UserError: a line is not UTF-8, or a quote is not closed.
    """
    reader = csv.reader(_decode_lines(file, path), strict=True, skipinitialspace=True)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num}: not a row of a CSV ({error}); {ADVICE}") from None


def fit_cells(row: list[str], names: Sequence[str], path: str, line: int) -> list[str]:
    """Return a cell for each column; empty cells beyond the header are dropped.

    Raises:
        UserError: the row has more or fewer cells than there are columns.
    """
    if len(row) < len(names) or any(cell.strip() for cell in row[len(names) :]):
        raise UserError(f"{path}: line {line}: {len(row)} cells for {len(names)} columns, {', '.join(names)}; {ADVICE}")
    return row[: len(names)]


def check_names(names: Sequence[str], path: str, needed: Sequence[str]) -> None:
    """Refuse a header that lacks a column, or names one twice.

    Raises:
        UserError: the message has the columns that there are, and says if the delimiter is the reason.
    """
    missing = [column for column in needed if column not in names]
    line = ",".join(names)
    other = next((sign for sign in OTHER_DELIMITERS if len(line.split(sign)) > len(names)), None)
    if missing and other:
        raise UserError(f"{path}: columns are separated by {other!r}; save the file with commas")
    if missing:
        raise UserError(
            f"{path}: no column {', '.join(missing)}; found {', '.join(names)}; use the file as it was published, or "
            "name your columns in catalogue_prepare.columns"
        )
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise UserError(f"{path}: more than one column {', '.join(twice)}; keep or rename one of each")


def _take_names(rows: Iterator[tuple[int, list[str]]], path: str) -> list[str]:
    _, names = next(rows, (0, []))
    if is_blank(names):
        raise UserError(f"{path}: empty, or its first line is; the first line names the columns: fetch the file again")
    names = [name.strip() for name in names]
    while names and not names[-1]:  # a header may end in commas as any row may
        names.pop()
    return names


def _decode_lines(file: IO[bytes], path: str) -> Iterator[str]:
    for number, line in enumerate(file, 1):
        try:
            yield (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).decode("utf-8")
        except UnicodeDecodeError as error:
            raise UserError(
                f"{path}: line {number}: byte {error.start + 1} of the line is not UTF-8; save the file as UTF-8"
            ) from None


def is_blank(row: Sequence[str]) -> bool:
    """Tell whether a row is a line without anything."""
    return len(row) < 2 and not any(cell.strip() for cell in row)
