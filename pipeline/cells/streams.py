"""Reads columns of a CSV of any size in batches, by the same rules as `pipeline.cells.rows`."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from csv import QUOTE_ALL, writer
from itertools import islice
from typing import IO

import pyarrow as pa
from pyarrow import csv

from pipeline.cells.rows import ADVICE, check_names, fit_cells, is_blank, iterate_rows, read_names
from pipeline.core.errors import UserError

BLOCK_BYTES = 1 << 25
BLOCK_ROWS = 1 << 17
QUOTE = b'"'
SPACES = (b", ", b"\n ", b"\r ")  # after a comma or a line end


def stream_columns(
    open_file: Callable[[], IO[bytes]], path: str, columns: Mapping[str, pa.DataType], advice: str
) -> Iterator[pa.RecordBatch]:
    """Yield these columns, converted, in batches and in file order; memory does not grow with the file.

    Arrow takes the space after a comma for a part of the cell, and then a quote as well: from the block with the first
    such space on, rows are read as `pipeline.cells.rows` reads them, which takes longer.

    Args:
        open_file: Opens the file in binary mode; it is read four times at most, twice only its beginning.
        path: Its name, for messages.
        columns: The name and the type of each column to read.
        advice: How the cells must be written, for messages.

    Raises:
        UserError: a column is missing, a row has more or fewer cells than the header, a cell cannot be converted, or a
            quote is not closed.
    """
    names, n_lines = _read_header(open_file, path, list(columns))
    options = csv.ConvertOptions(column_types=dict(columns), include_columns=list(columns), strings_can_be_null=False)
    n_rows = 0
    try:
        try:
            for batch in _stream_blocks(open_file, path, names, n_lines, options):
                n_rows += batch.num_rows
                yield batch
        except _SpaceError:
            yield from _stream_rows(open_file, path, names, n_rows, options)
    except pa.ArrowInvalid as error:
        if "Empty CSV" not in str(error):  # a header alone
            raise UserError(f"{path}: below the header: {error}; {advice}") from None


def _stream_blocks(
    open_file: Callable[[], IO[bytes]], path: str, names: list[str], n_lines: int, options: csv.ConvertOptions
) -> Iterator[pa.RecordBatch]:
    """Yield the rows below the header as Arrow reads them."""
    with open_file() as file:
        for _ in range(n_lines):
            file.readline()
        counted = _QuoteCounter(file)
        yield from csv.open_csv(
            counted,
            read_options=csv.ReadOptions(block_size=BLOCK_BYTES, column_names=names),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=options,
        )
    if counted.quotes % 2:
        raise UserError(f"{path}: a quote is not closed ({counted.quotes} quotes in all); {ADVICE}")


def _stream_rows(
    open_file: Callable[[], IO[bytes]], path: str, names: list[str], n_read: int, options: csv.ConvertOptions
) -> Iterator[pa.RecordBatch]:
    """Yield the rows after those that were read already, as Python's csv module reads them."""
    with open_file() as file:
        rows = islice(iterate_rows(file, path), 1, None)
        cells = (fit_cells(row, names, path, line) for line, row in rows if not is_blank(row))
        left = islice(cells, n_read, None)
        while block := list(islice(left, BLOCK_ROWS)):
            text = io.StringIO()
            writer(text, quoting=QUOTE_ALL).writerows(block)
            yield from csv.read_csv(
                io.BytesIO(text.getvalue().encode()),
                read_options=csv.ReadOptions(column_names=names),
                parse_options=csv.ParseOptions(newlines_in_values=True),
                convert_options=options,
            ).to_batches()


def _read_header(open_file: Callable[[], IO[bytes]], path: str, needed: Sequence[str]) -> tuple[list[str], int]:
    """Read the names of the columns and the number of lines that hold them.

    The first row may end in commas that the header does not have; each such column has a name too.
    """
    with open_file() as file:
        header = read_names(file, path)
    check_names(header, path, needed)
    with open_file() as file:
        first_rows = list(islice(iterate_rows(file, path), 2))
    names = [column or f"\0{number}" for number, column in enumerate(header)]
    line, first = first_rows[-1]
    if len(first_rows) == 2 and first:
        fit_cells(first, header, path, line)
        names += [f"\0{number}" for number in range(len(names), len(first))]
    return names, first_rows[0][0]


class _SpaceError(Exception):
    """A cell begins with a space."""


class _QuoteCounter:
    """Counts the quotes of a file while it is read: an odd number means that one is not closed."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.quotes, self.closed, self.last = file, 0, False, b"\n"

    def read(self, size: int = -1) -> bytes:
        """Read, and count.

        Raises:
            _SpaceError: there is a space after a comma or a line end.
        """
        data = self.file.read(size)
        if any(space in self.last + data for space in SPACES):
            outside = (self.last + data).split(QUOTE)[self.quotes % 2 :: 2]
            if any(space in text for text in outside for space in SPACES):
                raise _SpaceError
        self.quotes, self.last = self.quotes + data.count(QUOTE), data[-1:].replace(QUOTE, b"") if data else self.last
        return data

    def close(self) -> None:
        """Leave the file to who opened it."""
        self.closed = True

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it cannot be read twice."""
        return False
