"""Reads the rankings of new arrivals: data/arrivals/ranked/<recommender>-<features>, written by `rec_rank_arrivals`."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import scipy.sparse as sp

from lookbook.comparison.contributions import Hits
from lookbook.comparison.randomisation import TwoTexts
from pipeline.core.errors import UserError
from pipeline.core.outputs import read_json, read_parquet, require

REMEDY = "run `dvc repro rec_rank_arrivals`"
BLOCK = 65_536  # users whose factors are read at once
HITS_HELD = 8  # sources whose hits are kept in memory


def find_metric(metrics: Mapping[str, Any]) -> str:
    """Return the name of NDCG at the length of the arrivals' lists, such as ndcg_12.

    Args:
        metrics: metrics/arrivals of a recommender with features.
    """
    figures = next(iter(metrics["sources"].values()))
    return next(key for key in figures if re.fullmatch(r"ndcg_\d+", key))


@dataclass(frozen=True)
class Ranking:
    """The rankings of the arrivals by one recommender on one feature set, for every source of their words.

    Attributes:
        name: such as `vbpr-sbert`.
        folder: of its files.
    """

    name: str
    folder: Path

    @cached_property
    def sources(self) -> list[str]:
        """The sources that were ranked."""
        return list(read_json(self.folder / "factors.json")["sources"])

    @cached_property
    def users(self) -> pd.DataFrame:
        """The users that are averaged, ascending: `user`, and `relevant`, the arrivals that each bought."""
        return read_parquet(self.folder / "users.parquet").sort_values("user", ignore_index=True)

    @cached_property
    def arrivals(self) -> pd.DataFrame:
        """The arrivals, ascending: `item`, `item_id`, `product`."""
        return read_parquet(self.folder / "arrivals.parquet").sort_values("item", ignore_index=True)

    @cached_property
    def products(self) -> np.ndarray:
        """The product of each arrival, numbers from 0: (n_arrivals,)."""
        return np.unique(self.arrivals["product"].to_numpy(), return_inverse=True)[1]

    @cached_property
    def runs(self) -> list[int]:
        """The numbers of the runs, ascending."""
        with _open_factors(self.folder) as factors:
            names = [name for name in factors.keys() if name.startswith("users-")]  # noqa: SIM118
        return sorted(int(name.removeprefix("users-")) for name in names)

    def read_hits(self, source: str) -> Hits:
        """Read the hits of a source's lists; users and items are places in `users` and `arrivals`."""
        return self._hits(source)

    @cached_property
    def _hits(self) -> Callable[[str], Hits]:
        return lru_cache(maxsize=HITS_HELD)(partial(_read_hits, self))

    def read_texts(self, a: str, b: str, users: np.ndarray) -> Iterator[TwoTexts]:
        """Read what each run's model makes of two sources.

        Args:
            a: a source.
            b: another.
            users: places in `users`, ascending.
        """
        order = np.argsort(read_parquet(self.folder / "users.parquet")["user"].to_numpy(), kind="stable")[users]
        rows = np.argsort(read_parquet(self.folder / "arrivals.parquet")["item"].to_numpy(), kind="stable")
        for run in self.runs:
            with _open_factors(self.folder) as factors:
                texts = [factors.get_tensor(f"items-{source}-{run}")[rows] for source in (a, b)]
                biases = [factors.get_tensor(f"bias-{source}-{run}")[rows] for source in (a, b)]
                yield TwoTexts(_read_rows(factors.get_slice(f"users-{run}"), order), *texts, *biases)


def find_relevant(ranking: Ranking, interactions: Path) -> sp.csr_matrix:
    """Find the different arrivals that each user bought, in train or in test: (n_users, n_arrivals) binary.

    Args:
        ranking: whose users and arrivals they are.
        interactions: data/interactions.

    Raises:
        UserError: a user bought another number of arrivals than the ranking has recorded.
    """
    items, users = ranking.arrivals["item"].to_numpy(), ranking.users["user"].to_numpy()
    own = interactions / "published" / "original"  # where each catalogue has a split of its own
    folder = own if own.is_dir() else interactions
    parts = []
    for side in ("train", "test"):
        table = ds.dataset(require(folder / f"{side}.parquet"))
        bought = table.to_table(["user", "item"], filter=ds.field("item").isin(items.tolist()))
        parts.append(np.column_stack([bought[name].to_numpy() for name in ("user", "item")]))
    user, item = np.vstack(parts).T
    row = np.searchsorted(users, user)
    row[row == len(users)] = 0
    known = users[row] == user  # others have no history
    pairs = (np.ones(int(known.sum()), np.float32), (row[known], np.searchsorted(items, item[known])))
    relevant = sp.csr_matrix(pairs, shape=(len(users), len(items)))
    relevant.sum_duplicates()
    relevant.data[:] = 1
    if not np.array_equal(np.diff(relevant.indptr), ranking.users["relevant"]):
        raise UserError(f"{ranking.folder}/users.parquet: other purchases than in {folder}; {REMEDY}")
    return relevant


def _read_hits(ranking: Ranking, source: str) -> Hits:
    path = require(ranking.folder / "contributions.parquet")
    table = pq.read_table(path, columns=list(Hits._fields), filters=[("source", "==", source)])
    run, user, item, contribution = (table[name].to_numpy() for name in Hits._fields)
    items = np.searchsorted(ranking.arrivals["item"].to_numpy(), item)
    hits = Hits(run, user, items, contribution)
    known = hits.of_users(ranking.users["user"].to_numpy())
    if len(known.run) != len(run):
        raise UserError(f"{path}: hits of users that users.parquet does not have; {REMEDY}")
    return known


def _open_factors(folder: Path):  # type: ignore[no-untyped-def]  # safetensors has no types
    from safetensors import safe_open

    return safe_open(require(folder / "factors.safetensors"), "numpy")


def _read_rows(array, rows: np.ndarray) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Read rows of an array that is on disk, in any order."""
    n_rows, width = array.get_shape()
    out = np.empty((len(rows), width), dtype=np.float32)
    for start in range(0, n_rows, BLOCK):
        end = min(start + BLOCK, n_rows)
        inside = np.flatnonzero((rows >= start) & (rows < end))
        if len(inside):
            out[inside] = array[start:end][rows[inside] - start]
    return out
