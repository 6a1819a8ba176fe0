"""The split of `data/interactions/`, restricted to a catalogue: what recommenders learn from and are scored on.

Restricting drops the purchases of other items and nothing else: no purchase changes sides. Within a catalogue

- users are those with at least one train purchase there;
- candidates are the items with at least one train purchase there (Elliot's rule, `dataset.py:202` of its code). An item's
  purchases are the same in every catalogue that has it, so the candidates of `original` are those of `all` that are
  `original`, and are the candidates in common whenever catalogues are compared;
- the train matrix is binary: a purchase repeated counts once;
- relevant are the distinct test items of a user. A test item that is no candidate (cold) or that the user has in train
  (repeated: seen items are never recommended) can never be hit; both stay relevant, as in Elliot, and are counted.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
import scipy.sparse as sp

Catalogue = Literal["original", "all"]
CATALOGUES: tuple[Catalogue, ...] = get_args(Catalogue)
COMMON: Catalogue = "original"  # its items are in every catalogue
FOLDER = Path("data/interactions")


@dataclass(frozen=True)
class Split:
    """The four files: `item_ids[i]` and `original[i]` belong to item i; `train` and `test` hold (user, item) rows."""

    n_users: int
    item_ids: np.ndarray  # (n_all_items,) str
    original: np.ndarray  # (n_all_items,) bool
    train: np.ndarray  # (n_train, 2) int32
    test: np.ndarray  # (n_test, 2) int32

    def members(self, catalogue: Catalogue) -> np.ndarray:
        """Which items a catalogue has: (n_all_items,) bool."""
        return self.original if catalogue == "original" else np.ones_like(self.original)

    def matrix(self, pairs: np.ndarray, members: np.ndarray) -> sp.csr_matrix:
        """Distinct pairs of these items as a binary matrix: (n_users, n_all_items), float32, indices sorted."""
        user, item = pairs[members[pairs[:, 1]]].T
        matrix = sp.csr_matrix((np.ones(len(user), np.float32), (user, item)), shape=(self.n_users, len(self.item_ids)))
        matrix.sum_duplicates()
        matrix.data[:] = 1
        return matrix


@dataclass(frozen=True)
class Catalogued:
    """A split within a catalogue: row r of `train` is user `users[r]`, column c is item `items[c]`, both ascending."""

    catalogue: Catalogue
    users: np.ndarray  # (n_users,) int32, indices of users.parquet
    items: np.ndarray  # (n_items,) int32, indices of items.parquet
    item_ids: list[str]
    common: np.ndarray  # (n_items,) bool: the candidate is in every catalogue
    train: sp.csr_matrix  # (n_users, n_items) binary float32


def read_split(folder: Path | str = FOLDER) -> Split:
    folder = Path(folder)
    items = pd.read_parquet(folder / "items.parquet")
    pairs = {
        name: pd.read_parquet(folder / f"{name}.parquet", columns=["user", "item"]).to_numpy(np.int32)
        for name in ("train", "test")
    }
    n_users = len(pd.read_parquet(folder / "users.parquet", columns=["user"]))
    return Split(
        n_users, items["item_id"].to_numpy(object), items["original"].to_numpy(bool), pairs["train"], pairs["test"]
    )


def restrict(split: Split, catalogue: Catalogue) -> Catalogued:
    """Users, candidates and train matrix of a catalogue."""
    train = split.matrix(split.train, split.members(catalogue))
    users = np.flatnonzero(np.diff(train.indptr)).astype(np.int32)
    items = np.unique(train.indices).astype(np.int32)
    return Catalogued(
        catalogue=catalogue,
        users=users,
        items=items,
        item_ids=list(split.item_ids[items]),
        common=split.members(COMMON)[items],
        train=train[users][:, items].tocsr(),
    )
