"""The runs of a recommender, a file of lists each, so that a killed fit keeps those that are done."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.files import Rows
from pipeline.core.outputs import write_tables
from pipeline.core.params import Section
from recsys.purchases.dataset import COMMON, Dataset, Split, restrict
from recsys.ranking.recommend import recommend
from recsys.ranking.settings import Run
from recsys.ranking.topk import Lists
from recsys.recommenders import Recommender

BLOCK_USERS = 100_000  # whose lists are written at once


def derive_seed(seed: int, number: int) -> int:
    """Return the seed of run `number`."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0])


def find_pools(data: Dataset) -> dict[str, np.ndarray]:
    """Return the sets of candidates to rank among, by name: (n_items,) bool.

    The first is the catalogue; where catalogues are compared, the second is what every catalogue has.
    """
    own = {str(data.catalogue): np.ones(len(data.items), dtype=bool)}
    return own if data.catalogue == COMMON or data.published else own | {COMMON: data.common}


def find_listed_users(split: Split, data: Dataset) -> dict[str, np.ndarray]:
    """Return which users have a list, by the name of the pool: (n_users,) bool."""
    return {
        str(data.catalogue): np.ones(len(data.users), bool),
        str(COMMON): np.isin(data.users, restrict(split, COMMON).users),
    }


def fit_runs(
    recommender: Recommender[Any],
    settings: Section,
    runs: Iterable[Run],
    data: Dataset,
    split: Split,
    features: Rows | None,
    folder: Path,
) -> list[Path]:
    """Write a file for each run, with its lists for every pool of candidates; skip the files that exist."""
    listed = find_listed_users(split, data)
    files = []
    for number, run in enumerate(runs):
        files.append(folder / f"run-{number}.parquet")
        if not files[number].is_file():
            scorer = recommender.fit(data, settings, run, features)
            pools, sharing = find_pools(data), run.share()
            lists = recommend(scorer, data.train, run.top_k, pools, run.threads, run.device, sharing)
            write_tables(files[number], list_tables(lists, data, number, listed))
    return files


def list_tables(
    lists: Mapping[str, Lists], data: Dataset, number: int, listed: Mapping[str, np.ndarray]
) -> Iterator[pa.Table]:
    """Yield the lists of a run as rows, by pool, user and rank, some users at a time.

    Args:
        lists: pool → its lists.
        data: the data set that was ranked.
        number: the run.
        listed: pool → which users have a list, (n_users,) bool.
    """
    names = list(lists)
    for candidates, (items, scores) in lists.items():
        for start in range(0, len(items), BLOCK_USERS):
            block = slice(start, start + BLOCK_USERS)
            user, rank = np.nonzero((items[block] >= 0) & listed[candidates][block, None])
            pool = np.full(len(user), names.index(candidates), dtype=np.int8)
            columns = {
                "candidates": pa.DictionaryArray.from_arrays(pool, names),
                "run": np.full(len(user), number, dtype=np.int32),
                "user": data.users[block][user],
                "item": data.items[items[block][user, rank]],
                "rank": (rank + 1).astype(np.int32),
                "score": scores[block][user, rank],
            }
            yield pa.table(columns)


def read_blocks(paths: Sequence[Path]) -> Iterator[pa.Table]:
    """Yield the row groups of some files, in order."""
    for path in paths:
        with pq.ParquetFile(path) as file:
            yield from (file.read_row_group(group) for group in range(file.num_row_groups))
