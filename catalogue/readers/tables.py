"""CSV files of raw data: tables of texts in which an empty cell is missing, and purchases in batches."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from catalogue.readers.files import Files
from catalogue.readers.markup import remove_markup
from pipeline.cells import rows
from pipeline.cells.missing import is_missing
from pipeline.cells.streams import stream_columns
from pipeline.cells.times import NoTimeError, read_days
from pipeline.core.errors import UserError


def read_table(files: Files, name: str, needed: Sequence[str]) -> pd.DataFrame:
    """Read a CSV as texts without spaces around them, and a missing value for an empty cell.

    Raises:
        UserError: it is not UTF-8 with commas, lacks a column, has a row that does not fit its header, or has no rows.
    """
    path = files.locate(name)
    with files.open(name) as file:
        table = rows.read_table(file, path, needed)
    if table.empty:
        raise UserError(f"{path}: a header and no rows; fetch the file again")
    table = table.apply(lambda texts: texts.str.strip())
    return table.mask(table == "")


def clean_texts(texts: pd.Series) -> pd.Series:
    """Turn descriptions into plain lines: no markup, no line ends, one space between words, NFC; None for no text.

    A caption must not hold a line end, which tells BLIP-2 with OPT that the caption is over. Words for a missing value
    and empty markup are no text.
    """
    plain = (remove_markup(text) if isinstance(text, str) else "" for text in texts)
    lines = [" ".join(unicodedata.normalize("NFC", text).split()) for text in plain]
    return pd.Series([None if is_missing(line) else line for line in lines], texts.index, object)


def stream(files: Files, name: str, columns: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
    """Yield these columns of a CSV, converted, in batches and in file order; memory does not grow with the file.

    Raises:
        UserError: a column is missing, or a cell cannot be converted.
    """
    advice = "days are written as 2018-09-20, numbers with a point, one purchase a line"
    return stream_columns(lambda: files.open(name), files.locate(name), columns, advice)


def convert_days(path: str, column: str, texts: pa.Array) -> pa.Array:
    """Convert the days of purchases to days since 1970, int32.

    Raises:
        UserError: a text is no day.
    """
    try:
        return read_days(texts)
    except NoTimeError as error:
        raise UserError(f"{path}: column {column}: {error}; days are written as 2018-09-20") from None


def trim_ids(path: str, column: str, ids: pa.Array) -> pa.Array:
    """Remove the spaces around ids.

    Raises:
        UserError: an id has a line end, because a quote before it was not closed.
    """
    if pc.any(pc.match_substring(ids, "\n")).as_py():
        first = ids.filter(pc.match_substring(ids, "\n"))[0].as_py()
        raise UserError(f"{path}: column {column}: the id {first[:60]!r} has a line end; {rows.ADVICE}")
    return pc.utf8_trim_whitespace(ids)


def refuse_negative(path: str, column: str, values: pa.Array) -> None:
    """Refuse an amount of money that is below zero or missing.

    Raises:
        UserError: there is such an amount; the message names the first.
    """
    wrong = pc.or_kleene(pc.less(values, 0), pc.is_nan(values)).fill_null(True)
    if pc.any(wrong).as_py():
        row = pc.index(wrong, True).as_py()
        raise UserError(f"{path}: {column} {values[row]} is not an amount of money; correct or remove the row")
