"""The study's lists, read into arrays, and tables that grow by a recommender at a time: never all rows in memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import UserError
from pipeline.core.outputs import new_file

Lists = dict[tuple[str, int], np.ndarray]  # (candidates, run) → (n_users, depth) items, −1 for none
Add = Callable[[Mapping[str, str], int, np.ndarray, Mapping[str, np.ndarray]], None]
COLUMNS = ["candidates", "run", "user", "item", "rank"]


def read_lists(path: Path, n_users: int, cutoffs: Sequence[int]) -> Lists:
    """The lists of a file of `data/recommendations/`.

    Raises:
        UserError: the file is missing, its lists are shorter than the largest cutoff, or a user has two items of one rank.
    """
    if not path.exists():
        raise UserError(
            f"{path}: no such lists, though params.yaml names them in its axes; run `dvc repro` to make them"
        )
    with pq.ParquetFile(path) as file:
        depth = max((int(batch["rank"].to_numpy().max()) for batch in file.iter_batches(columns=["rank"])), default=0)
        if depth < max(cutoffs):
            raise UserError(
                f"rec_score.cutoffs: {max(cutoffs)} is more than the {depth} items of the lists in {path}; "
                f"set rec_fit.top_k to {max(cutoffs)} or more; where it is, the catalogue has fewer unseen items for everyone "
                "than that: lower rec_score.cutoffs"
            )
        lists: Lists = {}
        rows = 0
        for batch in file.iter_batches(batch_size=1 << 20, columns=COLUMNS):
            _add(lists, batch, (n_users, depth))
            rows += batch.num_rows
    if sum(int((listed >= 0).sum()) for listed in lists.values()) != rows:
        raise UserError(f"{path}: a user has two items of the same rank in one list; run `dvc repro` to make it again")
    return lists


@contextmanager
def growing(path: Path, labels: Sequence[str], metrics: Sequence[str]) -> Iterator[Add]:
    """A table with the columns of `labels`, `run`, `user` and the metrics.

    What it gives adds the rows of one run: the value of each label, the run, the users and their metrics; NaN becomes null.
    A row group has rows of one run alone, so that whoever reads by label opens no others.
    """
    fields = [(name, pa.string()) for name in labels]
    fields[2:2] = [("run", pa.int32()), ("user", pa.int32())]
    schema = pa.schema([*fields, *((name, pa.float64()) for name in metrics)])
    with new_file(path) as partial, pq.ParquetWriter(partial, schema, compression="zstd") as writer:

        def add(label: Mapping[str, str], number: int, users: np.ndarray, columns: Mapping[str, np.ndarray]) -> None:
            n = len(users)
            made: dict[str, pa.Array] = {name: pa.repeat(label[name], n) for name in labels}
            missing = np.full(n, np.nan)
            made |= {"run": pa.array(np.full(n, number, np.int32)), "user": pa.array(users.astype(np.int32))}
            made |= {name: pa.array(columns.get(name, missing), pa.float64(), from_pandas=True) for name in metrics}
            writer.write_table(pa.table([made[name] for name in schema.names], schema=schema))

        yield add


def _add(lists: Lists, batch: pa.RecordBatch, shape: tuple[int, int]) -> None:
    candidates = batch["candidates"]
    if not pa.types.is_dictionary(candidates.type):
        candidates = candidates.dictionary_encode()
    codes, names = candidates.indices.to_numpy(), candidates.dictionary.to_pylist()
    number, user, item, rank = (batch[name].to_numpy() for name in COLUMNS[1:])
    for code in np.unique(codes):
        for run in np.unique(number[codes == code]):
            key = str(names[code]), int(run)
            rows = (codes == code) & (number == run)
            listed = lists.setdefault(key, np.full(shape, -1, dtype=np.int32))
            listed[user[rows], rank[rows] - 1] = item[rows]
