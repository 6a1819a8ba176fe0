"""Parquet files whose rows come a range at a time, with the bytes that all rows at once would have."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.outputs import new_file

ROWS = 1 << 20  # of a row group: what pyarrow makes of a table

AddTable = Callable[[str, pa.Table], None]  # the file's name without its ending, rows to add


@contextmanager
def open_tables(folder: Path) -> Iterator[AddTable]:
    """Yield what adds rows to files of a folder; a file begins with its first rows, and has their columns."""
    with ExitStack() as stack:
        opened: dict[str, Callable[[pa.Table], None]] = {}

        def add(name: str, table: pa.Table) -> None:
            if name not in opened:
                opened[name] = stack.enter_context(_open_table(folder / f"{name}.parquet", table.schema))
            opened[name](table)

        yield add


@contextmanager
def _open_table(path: Path, schema: pa.Schema) -> Iterator[Callable[[pa.Table], None]]:
    """Yield what adds rows to a file; they wait until they fill a row group."""
    with new_file(path) as partial, pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        waiting = [schema.empty_table()]
        written = 0

        def write(rows: pa.Table) -> None:
            nonlocal written
            writer.write_table(rows.combine_chunks(), row_group_size=ROWS)
            written += len(rows)

        def add(table: pa.Table) -> None:
            waiting.append(table)
            if sum(map(len, waiting)) >= ROWS:
                rows = pa.concat_tables(waiting)
                whole = len(rows) // ROWS * ROWS
                write(rows.slice(0, whole))
                waiting[:] = [rows.slice(whole)]

        yield add
        rows = pa.concat_tables(waiting)
        if len(rows) or not written:
            write(rows)
