"""CSV files of shops, as texts: their delimiter, their columns and examples of what stands in them."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pandas as pd

from pipeline.core.errors import UserError

DELIMITERS = ",;\t|"
SUFFIXES = (".csv", ".tsv", ".txt")
EXAMPLES = 3
EXAMPLE_LETTERS = 28
PART_ROWS = 100_000  # of a table that is read in parts
FORMULA = re.compile(r'="([^"]*)"')  # how Excel is told to keep the zeros of 00123
ADVICE = "put a cell that holds the delimiter, a quote or a line end into quotes, and write a quote in it twice"


@dataclass(frozen=True)
class Table:
    """A CSV file, read as texts.

    Attributes:
        path: The file.
        delimiter: What separates its cells.
        rows: Its cells under the names of its columns, without spaces around both; None where a cell is empty.
        as_read: Whether another reader finds the same: no name has spaces around it, is empty or stands there twice,
            and no cell is a formula.
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
    first = delimiter.join(headers[delimiter])
    if not first.strip(delimiter + " "):
        raise UserError(f"{path}: empty; export it again")
    if re.fullmatch("sep=.?", first.strip()):
        raise UserError(f"{path}: its first line, {first}, is for Excel and names no columns; remove that line")
    return delimiter, headers[delimiter]


def read_table(path: Path, limit: int | None = None) -> Table:
    """Read a CSV file, or its first rows.

    Args:
        path: The file.
        limit: How many rows to read; None: all.

    Raises:
        UserError: it is not UTF-8, a row does not fit the first, or there are no rows.
    """
    return next(iterate_tables(path, limit))


def iterate_tables(path: Path, size: int | None = PART_ROWS) -> Iterator[Table]:
    """Read a CSV file in parts.

    Args:
        path: The file.
        size: The rows of a part, at most; None: all.

    Raises:
        UserError: it is not UTF-8, a row does not fit the first, or there are no rows.
    """
    delimiter, header = read_header(path)
    names = _name_columns(header)
    has_quotes = delimiter != "\t" or _has_quotes(path)
    lines = _iterate_rows(path, delimiter, has_quotes)
    next(lines)
    rows = (_fit(path, line, row, names) for line, row in lines if any(row) or len(row) > 1)
    part = list(islice(rows, size))
    if not part:
        raise UserError(f"{path}: a header and no rows; export it again")
    while part:
        frame = pd.DataFrame(part, columns=names, dtype=object)
        formulas = frame.map(lambda cell: isinstance(cell, str) and bool(FORMULA.fullmatch(cell)))
        if is_formula := bool(formulas.any(axis=None)):
            frame = frame.map(lambda cell: FORMULA.sub(r"\1", cell) or None if isinstance(cell, str) else None)
        yield Table(path, delimiter, frame, as_read=names == header and not is_formula)
        part = list(islice(rows, size))


def _name_columns(names: Sequence[str]) -> list[str]:
    """Name each column, without spaces around the names; a column without a name and a repeated name get a number."""
    named: list[str] = []
    for number, name in enumerate(map(str.strip, names)):
        own = name or f"Unnamed: {number}"
        named.append(f"{own}.{number}" if own in named else own)
    return named


def _iterate_rows(path: Path, delimiter: str, has_quotes: bool) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the last line of each row, from 1, and its cells without spaces around them."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(
            file,
            delimiter=delimiter,
            quoting=csv.QUOTE_MINIMAL if has_quotes else csv.QUOTE_NONE,
            strict=True,
            skipinitialspace=True,
        )
        try:
            for row in reader:
                yield reader.line_num, [cell.strip() for cell in row]
        except UnicodeDecodeError as error:
            raise UserError(f"{path}: byte {error.start} is not UTF-8; export or save it as CSV, UTF-8") from None
        except csv.Error as error:
            raise UserError(
                f"{path}: line {reader.line_num}: not a readable CSV file ({error}); {ADVICE}, or export it again"
            ) from None


def _has_quotes(path: Path) -> bool:
    """Whether quotes enclose cells of a file with tabs; else a quote is a letter like any other, as in Google's feeds.

    It is one where all lines fit the header without enclosing quotes, and do not with them, or are fewer rows then.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        if file.read(1) == '"':
            return True
    lengths = [len(row) for _, row in _iterate_rows(path, "\t", False) if any(row)]
    if len(set(lengths)) > 1:
        return True
    try:
        return len(lengths) == sum(any(row) for _, row in _iterate_rows(path, "\t", True))
    except UserError:
        return False


def _fit(path: Path, line: int, row: list[str], names: Sequence[str]) -> list[str | None]:
    """Return a cell for each column; empty cells beyond the header are dropped.

    Raises:
        UserError: the row has more or fewer cells than there are columns.
    """
    if len(row) < len(names) or any(row[len(names) :]):
        raise UserError(
            f"{path}: line {line}: {len(row)} cells for {len(names)} columns; does a row have too many cells, or too "
            f"few? {ADVICE}"
        )
    return [cell or None for cell in row[: len(names)]]
