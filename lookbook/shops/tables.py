"""CSV files of shops, as texts: their delimiter, their columns and examples of what stands in them."""

import csv
import warnings
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.core.errors import UserError

DELIMITERS = ",;\t|"
SUFFIXES = (".csv", ".tsv", ".txt")
EXAMPLES = 3
EXAMPLE_LETTERS = 28


@dataclass(frozen=True)
class Table:
    """A CSV file, read as texts.

    Attributes:
        path: The file.
        delimiter: What separates its cells.
        rows: Its cells under the names of its columns without spaces around them; None where a cell is empty.
        as_read: Whether its first row has these very names: none has spaces around it, is empty or stands there twice.
    """

    path: Path
    delimiter: str
    rows: pd.DataFrame
    as_read: bool

    @property
    def columns(self) -> list[str]:
        """The names of its columns, in order."""
        return list(self.rows.columns)

    def examples(self, column: str) -> list[str]:
        """List the first different values of a column, shortened."""
        values = self.rows[column].dropna().unique()[:EXAMPLES]
        return [shorten(value) for value in values]


def shorten(text: str) -> str:
    """Write a text on one line of at most `EXAMPLE_LETTERS` letters; of an address its end.

    >>> shorten("a dress with long sleeves, a round neck and a bow")
    'a dress with long sleeves, …'
    """
    line = " ".join(text.split())
    if line.startswith("http") and len(line) > EXAMPLE_LETTERS:
        return "…" + line[1 - EXAMPLE_LETTERS :]
    return line if len(line) <= EXAMPLE_LETTERS else line[: EXAMPLE_LETTERS - 1] + "…"


def read_header(path: Path) -> tuple[str, list[str]]:
    """Read the first row of a CSV file, with the delimiter that gives it most cells.

    Raises:
        UserError: the file is empty, or not UTF-8.
    """
    headers = {}
    for delimiter in DELIMITERS:
        try:
            with open(path, encoding="utf-8-sig", newline="") as file:
                headers[delimiter] = next(csv.reader(file, delimiter=delimiter), [])
        except (UnicodeDecodeError, csv.Error) as error:
            raise UserError(f"{path}: not a CSV file in UTF-8 ({error}); export or save it as CSV, UTF-8") from None
    delimiter = max(headers, key=lambda sign: len(headers[sign]))
    if not any(name.strip() for name in headers[delimiter]):
        raise UserError(f"{path}: empty; export it again")
    return delimiter, headers[delimiter]


def read_table(path: Path, limit: int | None = None) -> Table:
    """Read a CSV file, or its first rows.

    Args:
        path: The file.
        limit: How many rows to read; None: all.

    Raises:
        UserError: it is not UTF-8, a row has more cells than the first, or there are no rows.
    """
    delimiter, header = read_header(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            rows = pd.read_csv(
                path,
                sep=delimiter,
                dtype=str,
                keep_default_na=False,
                na_values=[""],
                encoding="utf-8-sig",
                index_col=False,
                nrows=limit,
            )
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8; export or save it as CSV, UTF-8") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{path}: not a readable CSV file ({reason}); does a row have too many cells?") from None
    if rows.empty:
        raise UserError(f"{path}: a header and no rows; export it again")
    stripped = [str(name).strip() for name in rows.columns]
    texts = rows.astype(object).where(rows.notna(), None).set_axis(stripped, axis=1)
    return Table(path, delimiter, texts, as_read=stripped == header)
