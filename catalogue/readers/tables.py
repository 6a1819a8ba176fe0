"""CSV files of raw data: tables of texts in which an empty cell is missing, and purchases in batches."""

import codecs
from collections.abc import Iterator, Mapping, Sequence
from typing import IO

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from catalogue.readers.files import Files
from pipeline.core.errors import UserError

BLOCK_BYTES = 1 << 25  # of a CSV that is streamed
OTHER_DELIMITERS = (";", "\t", "|")


def read_table(files: Files, name: str, needed: Sequence[str]) -> pd.DataFrame:
    """Read a CSV as texts, with None for an empty cell.

    Raises:
        UserError: it is not UTF-8 with commas, lacks a column, or has no rows.
    """
    path = files.locate(name)
    with files.open(name) as file:
        check_header(path, read_header(file, path), needed)
    try:
        with files.open(name) as file:
            table = pd.read_csv(file, dtype=str, keep_default_na=False, na_values=[""], encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    except pd.errors.ParserError as error:
        raise UserError(f"{path}: not a readable CSV file ({error}); is a line cut off? Fetch it again") from None
    if table.empty:
        raise UserError(f"{path}: a header and no rows; fetch the file again")
    return table


def join_lines(texts: pd.Series) -> pd.Series:
    """Replace every run of spaces and line ends by one space, and an empty text by None.

    A caption must not hold a line end, which tells BLIP-2 with OPT that the caption is over.
    """
    lines = texts.str.split().str.join(" ")
    return lines.where(lines.fillna("") != "", None)


def read_header(file: IO[bytes], path: str) -> str:
    """Read the first line, without a byte order mark.

    Raises:
        UserError: the file is empty, or not UTF-8.
    """
    line = file.readline().removeprefix(codecs.BOM_UTF8)
    if not line.strip():
        raise UserError(f"{path}: empty; fetch the file again")
    try:
        return line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise UserError(f"{path}: not UTF-8; save the file as UTF-8") from None


def check_header(path: str, line: str, needed: Sequence[str]) -> None:
    """Refuse a header that lacks a column.

    Raises:
        UserError: a column is missing; the message says if the delimiter is the reason.
    """
    columns = [cell.strip().strip('"') for cell in line.split(",")]
    missing = [column for column in needed if column not in columns]
    if not missing:
        return
    other = next((sign for sign in OTHER_DELIMITERS if len(line.split(sign)) > len(columns)), None)
    if other:
        raise UserError(f"{path}: columns are separated by {other!r}; save the file with commas")
    raise UserError(
        f"{path}: no column {', '.join(missing)}; found {', '.join(columns)}; use the file as it was published, or "
        "name your columns in catalogue_prepare.columns"
    )


def stream(files: Files, name: str, columns: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
    """Yield these columns of a CSV, converted, in batches and in file order; memory does not grow with the file.

    Raises:
        UserError: a column is missing, or a cell cannot be converted.
    """
    path = files.locate(name)
    with files.open(name) as file:
        check_header(path, read_header(file, path), list(columns))
    with files.open(name) as file:
        try:
            yield from csv.open_csv(
                file,
                read_options=csv.ReadOptions(block_size=BLOCK_BYTES),
                convert_options=csv.ConvertOptions(
                    column_types=dict(columns), include_columns=list(columns), strings_can_be_null=False
                ),
            )
        except pa.ArrowInvalid as error:
            raise UserError(
                f"{path}: {error}; days are written as 2018-09-20, numbers with a point, one purchase a line"
            ) from None


def refuse_negative(path: str, column: str, values: pa.Array) -> None:
    """Refuse an amount of money that is below zero or missing.

    Raises:
        UserError: there is such an amount; the message names the first.
    """
    wrong = pc.or_kleene(pc.less(values, 0), pc.is_nan(values)).fill_null(True)
    if pc.any(wrong).as_py():
        row = pc.index(wrong, True).as_py()
        raise UserError(f"{path}: {column} {values[row]} is not an amount of money; correct or remove the row")
