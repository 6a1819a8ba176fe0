"""Tables of scores, written one recommender at a time: never all rows in memory."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.outputs import new_file
from recsys.scoring.contributions import Hits

USER_LABELS = ["arm", "recommender"]
SLICE_LABELS = ["arm", "recommender", "slice"]
HIT_LABELS = ["arm", "recommender", "metric"]


class AddRows(Protocol):
    """Adds the rows of one run to a table."""

    def __call__(
        self, labels: Mapping[str, str], run: int, users: np.ndarray, columns: Mapping[str, np.ndarray]
    ) -> None:
        """Add a row per user.

        Args:
            labels: The value of each label, the same in all rows.
            run: The run's number.
            users: (n,) indices.
            columns: Metric → (n,) values; NaN and metrics that are left out become null.
        """


class AddHits(Protocol):
    """Adds the hits of one run's lists to a table."""

    def __call__(self, labels: Mapping[str, str], run: int, users: np.ndarray, hits: Hits) -> None:
        """Add a row per hit.

        Args:
            labels: The value of each label, the same in all rows.
            run: The run's number.
            users: (n_lists,) whose lists they are.
            hits: The hits, by list.
        """


@contextmanager
def open_score_table(path: Path, labels: Sequence[str], metrics: Sequence[str]) -> Iterator[AddRows]:
    """Open a new Parquet table with the columns of `labels`, `run`, `user` and the metrics, and yield what adds rows.

    A row group has rows of one run alone, so that reading by label opens no others. `run` and `user` stand after the
    first two labels.
    """
    fields = [(name, pa.string()) for name in labels]
    fields[2:2] = [("run", pa.int32()), ("user", pa.int32())]
    schema = pa.schema([*fields, *((name, pa.float64()) for name in metrics)])
    with new_file(path) as partial, pq.ParquetWriter(partial, schema, compression="zstd") as writer:

        def add_rows(labels: Mapping[str, str], run: int, users: np.ndarray, columns: Mapping[str, np.ndarray]) -> None:
            n = len(users)
            arrays: dict[str, pa.Array] = {name: pa.repeat(value, n) for name, value in labels.items()}
            missing = np.full(n, np.nan)
            arrays |= {"run": pa.array(np.full(n, run, np.int32)), "user": pa.array(users.astype(np.int32))}
            arrays |= {name: pa.array(columns.get(name, missing), pa.float64(), from_pandas=True) for name in metrics}
            writer.write_table(pa.table([arrays[name] for name in schema.names], schema=schema))

        yield add_rows


@contextmanager
def open_hit_table(path: Path, labels: Sequence[str]) -> Iterator[AddHits]:
    """Open a new Parquet table with the columns of `labels`, `run`, `user`, `item` and `contribution`.

    A row group has rows of one run alone, so that reading by label opens no others.
    """
    numbers = [(name, pa.int32()) for name in ("run", "user", "item")]
    schema = pa.schema([*((name, pa.string()) for name in labels), *numbers, ("contribution", pa.float64())])
    with new_file(path) as partial, pq.ParquetWriter(partial, schema, compression="zstd") as writer:

        def add_hits(labels: Mapping[str, str], run: int, users: np.ndarray, hits: Hits) -> None:
            n = len(hits.row)
            columns = {name: pa.repeat(value, n) for name, value in labels.items()}
            columns |= {"run": np.full(n, run, np.int32), "user": users[hits.row].astype(np.int32)}
            columns |= {"item": hits.item.astype(np.int32), "contribution": hits.contribution}
            if n:  # a row group without rows has no label to be found by
                writer.write_table(pa.table([columns[name] for name in schema.names], schema=schema))

        yield add_hits


class Relevant(NamedTuple):
    """The items that lists can hit.

    Attributes:
        catalogue: That the lists are of.
        part: A metric of users, or a slice.
        items: (n,) indices, ascending.
    """

    catalogue: str
    part: str
    items: np.ndarray


def write_relevant_items(path: Path, parts: Iterable[Relevant]) -> None:
    """Write a row per catalogue, metric or slice, and item that is relevant to one of its users."""
    schema = pa.schema([("catalogue", pa.string()), ("part", pa.string()), ("item", pa.int32())])
    with new_file(path) as partial, pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        for part in parts:
            n = len(part.items)
            columns = [pa.repeat(part.catalogue, n), pa.repeat(part.part, n), pa.array(part.items.astype(np.int32))]
            writer.write_table(pa.table(columns, schema=schema))


def write_empty_tables(users: Path, slices: Path, hits: Path, slice_hits: Path, items: Path) -> None:
    """Write the tables without rows and metrics, for a study without recommendations."""
    write_relevant_items(items, [])
    for path, labels in ((users, USER_LABELS), (slices, SLICE_LABELS)):
        with open_score_table(path, labels, []):
            pass
    for path, labels in ((hits, HIT_LABELS), (slice_hits, SLICE_LABELS)):
        with open_hit_table(path, labels):
            pass
