"""The lists of new arrivals: ranked for a customer by the factors of a recommender, once for each source of words."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from safetensors import safe_open

from lookbook.reporting.sources import sort_sources
from lookbook.views.study import RANKED, Study
from pipeline.core.outputs import read_json

BLOCKS, BLOCK_ROWS = 20, 100  # of the customers whose lists are counted, where there are more


class ListCount(NamedTuple):
    """How many lists of arrivals have a garment.

    Attributes:
        recommender: With its features.
        source: Of the words.
        lists: Lists of all runs with the garment.
        counted: Lists of all runs that were looked at.
    """

    recommender: str
    source: str
    lists: int
    counted: int


def list_sources(folder: Path) -> list[str]:
    """List the sources of words by which a recommender ranked the arrivals."""
    return list(read_json(folder / "factors.json")["sources"])


def list_runs(folder: Path) -> list[int]:
    """List the runs of a recommender of arrivals."""
    return list(read_json(folder / "factors.json")["runs"])


def read_cutoff(folder: Path) -> int:
    """Read how many places a list of a recommender of arrivals has."""
    return int(read_json(folder / "factors.json")["k"])


def read_arrivals(folder: Path) -> pl.Series:
    """Read the id of every arrival, in the order of the factors."""
    return pl.read_parquet(folder / "arrivals.parquet", columns=["item_id"])["item_id"]


def rank_arrivals(folder: Path, source: str, run: int, user: int) -> list[str]:
    """Rank the arrivals for a customer: score descending, then by order, as recsys.arrivals ranks them."""
    row = pl.read_parquet(folder / "users.parquet", columns=["user"])["user"].index_of(user)
    if row is None:
        return []
    with safe_open(folder / "factors.safetensors", framework="numpy") as factors:
        own = factors.get_slice(f"users-{run}")[row : row + 1]
        scores = own @ factors.get_tensor(f"items-{source}-{run}").T + factors.get_tensor(f"bias-{source}-{run}")
    best = np.argsort(-scores[0], kind="stable")[: read_cutoff(folder)]
    ids = read_arrivals(folder)
    return [str(ids[int(position)]) for position in best]


def count_lists(study: Study, item_id: str) -> list[ListCount]:
    """Count the lists of arrivals that have a garment, by recommender and source. There are none if it is no arrival.

    Where there are more than 2,000 customers, the lists of 20 blocks of 100 of them are counted.
    """
    counts: list[ListCount] = []
    for path in sorted((study.root / RANKED).glob("*/factors.json")):
        column = read_arrivals(path.parent).index_of(item_id)
        if column is not None:
            counts += _count_in(path.parent, column)
    return counts


def _count_in(folder: Path, column: int) -> list[ListCount]:
    sources, runs, cutoff = list_sources(folder), list_runs(folder), read_cutoff(folder)
    lists, counted = dict.fromkeys(sources, 0), 0
    with safe_open(folder / "factors.safetensors", framework="numpy") as factors:
        for run in runs:
            users = factors.get_slice(f"users-{run}")
            drawn = np.concatenate([users[start:stop] for start, stop in _choose_blocks(users.get_shape()[0])])
            counted += len(drawn)
            for source in sources:
                scores = drawn @ factors.get_tensor(f"items-{source}-{run}").T
                scores += factors.get_tensor(f"bias-{source}-{run}")
                own = scores[:, [column]]
                before = (scores > own).sum(axis=1) + (scores[:, :column] == own).sum(axis=1)
                lists[source] += int((before < cutoff).sum())
    return [ListCount(folder.name, source, lists[source], counted) for source in sort_sources(sources)]


def _choose_blocks(rows: int) -> Iterator[tuple[int, int]]:
    """Choose first and last + 1 of the blocks of rows.

    >>> list(_choose_blocks(1500)), len(list(_choose_blocks(1_000_000)))
    ([(0, 1500)], 20)
    """
    if rows <= BLOCKS * BLOCK_ROWS:
        yield 0, rows
        return
    for start in np.linspace(0, rows - BLOCK_ROWS, BLOCKS).astype(int).tolist():
        yield start, start + BLOCK_ROWS
