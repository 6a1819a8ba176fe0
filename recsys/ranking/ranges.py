"""Lists of ranges of rows: of all rows in this process, or a file for each range, made by the nodes of a cluster.

With `machine.cluster: ray` what every range needs (matrices, arrays) is written once beside the lists, and each process
maps it: the processes of a node share its pages, and only names travel. A list is a function of the data alone, so
ranges change no byte.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp

from pipeline.checkpoints import is_whole, load_part, part_path, save
from pipeline.cluster import Write, make_files
from pipeline.core.outputs import new_file, new_folder, read_json, write_json
from pipeline.machine import Where
from recsys.ranking.topk import Lists

VECTORS = ("data", "indices", "indptr")  # of a sparse matrix

Table: TypeAlias = "sp.csr_matrix | np.ndarray"
FindRange = Callable[[int, int], Lists]  # finds the lists of the rows from a start to before a stop
OpenRange = Callable[..., FindRange]  # prepares what every range needs


@dataclass(frozen=True)
class Sharing:
    """How rows are shared by the nodes of a cluster.

    Attributes:
        folder: of the files, which all nodes see under the same path; its name depends on all that the lists do.
        where: the cluster.
    """

    folder: Path
    where: Where


def find_in_ranges(
    name: str,
    open_: OpenRange,
    tables: Mapping[str, Table],
    arguments: tuple[Any, ...],
    size: int,
    sharing: Sharing | None,
) -> Lists:
    """Find the lists of all rows, here at once, or in ranges on a cluster.

    Args:
        name: of these lists, for the folder of their files.
        open_: a function of a module that gets the tables and the arguments.
        tables: name → matrix or array; the first one has a row for each list, at least one.
        arguments: parameters.
        size: rows of a range.
        sharing: None: in this process, without files.

    Raises:
        UserError: as `pipeline.cluster.make_files`.
    """
    n_rows = next(iter(tables.values())).shape[0]
    if sharing is None:
        return open_(*tables.values(), *arguments)(0, n_rows)
    paths = _write_tables(tables, sharing.folder)
    starts = range(0, n_rows, size)
    parts = {part_path(sharing.folder / name, f"{start:012d}"): (start, min(start + size, n_rows)) for start in starts}
    files = make_files(parts, open_ranges, open_, paths, arguments, where=sharing.where, is_whole=is_whole)
    lists = [load_part(file)[0] for file in files]
    return np.concatenate([part["columns"] for part in lists]), np.concatenate([part["values"] for part in lists])


def open_ranges(open_: OpenRange, paths: Sequence[Path], arguments: tuple[Any, ...]) -> Write:
    """Open what writes the lists of ranges of rows.

    Args:
        open_: as in `find_in_ranges`.
        paths: of the tables.
        arguments: of `open_`, after the tables.
    """
    find = open_(*map(map_table, paths), *arguments)

    def write(ranges: Mapping[Path, tuple[int, int]]) -> None:
        for path, (start, stop) in ranges.items():
            columns, values = find(start, stop)
            save(path, {"columns": columns, "values": values}, {})

    return write


def write_table(path: Path, table: Table) -> None:
    """Write a table, whole or absent: a sparse matrix as a folder, an array as a file."""
    if isinstance(table, np.ndarray):
        with new_file(path) as partial, open(partial, "wb") as file:
            np.save(file, table)
        return
    with new_folder(path) as folder:
        write_json(folder / "shape.json", table.shape)
        for name in VECTORS:
            write_table(folder / f"{name}.npy", getattr(table, name))


def map_table(path: Path) -> Table:
    """Map a table that `write_table` wrote: what is not used is not read."""
    if path.is_file():
        return np.load(path, mmap_mode="r")
    vectors = tuple(np.load(path / f"{name}.npy", mmap_mode="r") for name in VECTORS)
    return sp.csr_matrix(vectors, shape=tuple(read_json(path / "shape.json")), copy=False)


def _write_tables(tables: Mapping[str, Table], folder: Path) -> list[Path]:
    """Write the tables that are not there yet, each once, also where it comes twice; return their paths in order."""
    paths: dict[int, Path] = {}
    for name, table in tables.items():
        path = paths.setdefault(id(table), folder / name)
        if not path.exists():
            write_table(path, table)
    return [paths[id(table)] for table in tables.values()]
