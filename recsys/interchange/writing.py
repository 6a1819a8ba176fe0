"""Writing lists for other programs, in the forms of `recsys.interchange.reading`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from pipeline.core.errors import UserError, first_five
from pipeline.core.outputs import new_file
from pipeline.destinations import check_file
from recsys.interchange.reading import find_form

ROWS = 1_000_000  # written at once


def write_lists(path: Path, users: pa.Array, items: Sequence[str], listed: np.ndarray, scores: np.ndarray) -> int:
    """Write lists as TSV, CSV or Parquet, by the file's name, and return the number of rows.

    Args:
        path: The file to write.
        users: (n_users,) ids.
        items: (n_items,) ids.
        listed: (n_users, k) indices of `items`, best first, −1 for none.
        scores: (n_users, k).

    Raises:
        UserError: No such file can be written, or an id cannot stand in a TSV.
    """
    schema = pa.schema([("user", pa.string()), ("item", pa.string()), ("score", pa.float32())])
    n_rows, names = 0, pa.array(items, pa.string())
    check_writable(path, users, items)
    step = max(1, ROWS // max(1, listed.shape[1]))
    with new_file(path) as partial, _open_writer(path, partial, schema) as write:
        for start in range(0, len(listed), step):
            user, rank = np.nonzero(listed[start : start + step] >= 0)
            user += start
            columns = [users.take(pa.array(user)), names.take(pa.array(listed[user, rank]))]
            write(pa.table([*columns, pa.array(scores[user, rank].astype(np.float32))], schema=schema))
            n_rows += len(user)
    return n_rows


def check_name(option: str, path: Path) -> None:
    """Refuse a path that no table can be written to.

    Args:
        option: The user's, for the message.
        path: The file to write.

    Raises:
        UserError: The name ends with .gz, or no file can be written there.
    """
    check_file(option, path)
    if find_form(path) != "parquet" and path.name.lower().endswith(".gz"):
        raise UserError(f"{option} {path}: text files are not compressed; leave out .gz, or name a .parquet")


def check_writable(path: Path, users: pa.Array, items: Sequence[str]) -> None:
    """Refuse a file that lists of these users and items cannot be written to.

    Raises:
        UserError: No such file can be written, or an id cannot stand in a TSV.
    """
    check_name("--out", path)
    form = find_form(path)
    for kind, names in (("user", users), ("item", pa.array(items, pa.string()))) if form == "tsv" else ():
        broken = names.filter(pc.match_substring_regex(names, r"[\t\n\r]")).to_pylist()
        if broken:
            shown = first_five([repr(name) for name in broken])
            raise UserError(
                f"{path}: {len(broken)} {kind} ids have a tab or a line break, which no TSV can hold, first {shown}; "
                "name a .parquet"
            )


@contextmanager
def _open_writer(path: Path, partial: Path, schema: pa.Schema) -> Iterator[Callable[[pa.Table], object]]:
    """Yield a function that appends a table to the file."""
    form = find_form(path)
    if form == "tsv":
        with open(partial, "wb") as file:
            yield lambda table: file.write(_to_tsv(table))
    else:
        with (
            pq.ParquetWriter(partial, schema, compression="zstd")
            if form == "parquet"
            else csv.CSVWriter(partial, schema) as writer
        ):
            yield writer.write_table


def _to_tsv(table: pa.Table) -> bytes:
    """The rows as text without quotes around ids: Arrow's own writer refuses an id that has a quote in it."""
    columns = [column.cast(pa.string()).combine_chunks() for column in table.columns]
    rows = pc.binary_join_element_wise(*columns, "\t")
    whole = pa.ListArray.from_arrays(pa.array([0, len(rows)], pa.int32()), rows)
    return pc.binary_join(whole, "\n")[0].as_buffer().to_pybytes() + b"\n" * bool(len(rows))
