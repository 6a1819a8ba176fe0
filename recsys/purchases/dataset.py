"""The split of `data/interactions/`, restricted to a catalogue: what recommenders learn from and are scored on.

Restricting drops the purchases of other items and nothing else: no purchase changes sides. (With `evaluation:
published` each catalogue has a split of its own, which is read instead of the one in common.) Within a catalogue

- users are those with at least one train purchase in it;
- candidates are the items with at least one train purchase in it (Elliot's rule, `dataset.py:202` of its code). An
  item's purchases are the same in every catalogue that has it, so the candidates of `original` are those of `all` that
  are `original`, and are the candidates in common whenever catalogues are compared;
- the train matrix is binary: a purchase repeated counts once;
- relevant are the distinct test items of a user. A test item that is no candidate (cold) or that the user has in train
  (repeated: seen items are never recommended) can never be hit; both stay relevant, as in Elliot, and are counted;
- validation is part of train: a final fit is on all of train, tuning on `Dataset.without_validation()`.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import pandas as pd
import scipy.sparse as sp

from pipeline.core.errors import UserError

Catalogue = Literal["original", "all"]
CATALOGUES: tuple[Catalogue, ...] = get_args(Catalogue)
COMMON: Catalogue = "original"  # its items are in every catalogue
FOLDER = Path("data/interactions")
PUBLISHED = "published"  # sub-folder: one split a catalogue


@dataclass(frozen=True)
class Split:
    """The files of a split.

    Attributes:
        n_users: how many users there are.
        item_ids: the id of each item, (n_all_items,) str.
        original: whether the catalogue `original` has the item, (n_all_items,) bool.
        train: users and items, (n_train, 2) int32.
        test: users and items, (n_test, 2) int32.
        train_day: days since 1970-01-01, (n_train,) int32.
        validation: users and items, rows of train, (n_validation, 2) int32.
        published: a split of one catalogue alone, which is never compared with another catalogue's.
    """

    n_users: int
    item_ids: np.ndarray
    original: np.ndarray
    train: np.ndarray
    test: np.ndarray
    train_day: np.ndarray | None = None
    validation: np.ndarray | None = None
    published: bool = False

    def members(self, catalogue: Catalogue) -> np.ndarray:
        """Return which items a catalogue has: (n_all_items,) bool."""
        return self.original if catalogue == "original" else np.ones_like(self.original)

    def matrix(self, pairs: np.ndarray, members: np.ndarray) -> sp.csr_matrix:
        """Return the distinct pairs of some items as a binary matrix.

        Args:
            pairs: users and items, (n, 2).
            members: which items, (n_all_items,) bool.

        Returns:
            (n_users, n_all_items) float32, indices sorted.
        """
        matrix = self.counts(pairs, members)
        matrix.data[:] = 1
        return matrix

    def counts(self, pairs: np.ndarray, members: np.ndarray) -> sp.csr_matrix:
        """Count how often each user bought each of some items: shapes as in `matrix`."""
        user, item = pairs[members[pairs[:, 1]]].T
        matrix = sp.csr_matrix((np.ones(len(user), np.float32), (user, item)), shape=(self.n_users, len(self.item_ids)))
        matrix.sum_duplicates()
        return matrix


@dataclass(frozen=True)
class Dataset:
    """What a recommender learns from: row r of `train` is user `users[r]`, column c is item `items[c]`, both ascending.

    Attributes:
        train: (n_users, n_items) float32, binary (ratings above 0 from `dataset_of`), indices sorted.
        users: indices of users.parquet, (n_users,) int32.
        items: indices of items.parquet, (n_items,) int32.
        item_ids: the id of each item.
        common: whether the candidate is in every catalogue, (n_items,) bool.
        catalogue: whose items these are.
        last_day: the day each pair of train was last bought, in train's order, (train.nnz,) int32.
        validation: the pairs of train that were bought in the validation cut alone, (n_users, n_items) binary.
        published: from a split of this catalogue alone.
    """

    train: sp.csr_matrix
    users: np.ndarray
    items: np.ndarray
    item_ids: list[str]
    common: np.ndarray
    catalogue: Catalogue = "original"
    last_day: np.ndarray | None = None
    validation: sp.csr_matrix | None = None
    published: bool = False

    def without_validation(self) -> "Dataset":
        """Return the data set without the pairs of `validation`, its users and items as they are: for tuning."""
        if self.validation is None:
            return self
        kept = np.ones(self.train.nnz, dtype=bool)
        kept[_positions(self.train, self.validation)] = False
        bounds = np.append(0, np.cumsum(kept))[self.train.indptr]
        train = sp.csr_matrix((self.train.data[kept], self.train.indices[kept], bounds), shape=self.train.shape)
        last_day = None if self.last_day is None else self.last_day[kept]
        return replace(self, train=train, last_day=last_day, validation=None)


def dataset_of(
    train: sp.csr_matrix,
    item_ids: list[str] | None = None,
    last_day: np.ndarray | None = None,
    validation: sp.csr_matrix | None = None,
) -> Dataset:
    """Return a plain matrix of ratings as a data set.

    Args:
        train: (n_users, n_items), ratings above 0.
        item_ids: the id of each column; None: its number.
        last_day: the day of each rating, in the order of the sorted indices.
        validation: pairs of train, (n_users, n_items) binary.

    Raises:
        UserError: a rating is not a number above 0.
    """
    train = train.tocsr().astype(np.float32, copy=False)
    if not train.has_sorted_indices:
        train = train.sorted_indices()
    wrong = ~(np.isfinite(train.data) & (train.data > 0))
    if wrong.any():
        first = int(wrong.argmax())
        row = int(np.searchsorted(train.indptr, first, side="right")) - 1
        name = item_ids[train.indices[first]] if item_ids else train.indices[first]
        raise UserError(
            f"{wrong.sum():,} ratings are not numbers above 0, first {train.data[first]} of item {name} by the user in "
            f"row {row}; leave them out, or give every purchase the rating 1"
        )
    n_users, n_items = train.shape
    users, items = np.arange(n_users, dtype=np.int32), np.arange(n_items, dtype=np.int32)
    names = item_ids if item_ids is not None else [str(item) for item in items]
    return Dataset(train, users, items, names, np.ones(n_items, dtype=bool), last_day=last_day, validation=validation)


def read_split(folder: Path | str = FOLDER, catalogue: Catalogue | None = None) -> Split:
    """Read the split in common or, where `evaluation: published` gave this catalogue its own, that one."""
    folder = Path(folder)
    items = pd.read_parquet(folder / "items.parquet")
    n_users = len(pd.read_parquet(folder / "users.parquet", columns=["user"]))
    own = folder / PUBLISHED / str(catalogue)
    published = catalogue is not None and own.is_dir()
    rows = {name: _rows((own if published else folder) / f"{name}.parquet") for name in ("train", "test", "validation")}
    return Split(
        n_users,
        items["item_id"].to_numpy(object),
        items["original"].to_numpy(bool),
        train=rows["train"][0],
        test=rows["test"][0],
        train_day=rows["train"][1],
        validation=rows["validation"][0],
        published=published,
    )


def restrict(split: Split, catalogue: Catalogue) -> Dataset:
    """Restrict a split to the users, candidates and purchases of a catalogue."""
    members = split.members(catalogue)
    counts = split.counts(split.train, members)
    users = np.flatnonzero(np.diff(counts.indptr)).astype(np.int32)
    items = np.unique(counts.indices).astype(np.int32)
    last_day = None if split.train_day is None else _last_days(counts, split.train, split.train_day, members)
    cut = None if split.validation is None else _only_in(split.counts(split.validation, members), counts)
    counts.data[:] = 1
    return Dataset(
        train=_part(counts, users, items),
        users=users,
        items=items,
        item_ids=list(split.item_ids[items]),
        common=split.members(COMMON)[items],
        catalogue=catalogue,
        last_day=last_day,
        validation=None if cut is None else _part(cut, users, items),
        published=split.published,
    )


def _rows(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read users and items, (n, 2), and days, (n,)."""
    table = pd.read_parquet(path, columns=["user", "item", "day"]).astype(np.int32)
    return table[["user", "item"]].to_numpy(), table["day"].to_numpy()


def _part(matrix: sp.csr_matrix, users: np.ndarray, items: np.ndarray) -> sp.csr_matrix:
    """Return these rows and columns, all that hold an entry, in their order: entries keep their position in `data`."""
    number = np.zeros(matrix.shape[1], dtype=np.int32)
    number[items] = np.arange(len(items), dtype=np.int32)
    bounds = np.append(matrix.indptr[users], matrix.indptr[-1])
    return sp.csr_matrix((matrix.data, number[matrix.indices], bounds), shape=(len(users), len(items)))


def _last_days(counts: sp.csr_matrix, pairs: np.ndarray, day: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Return the latest day of each pair: (counts.nnz,) int32."""
    chosen = members[pairs[:, 1]]
    last = np.full(counts.nnz, np.iinfo(np.int32).min, dtype=np.int32)
    keys = pairs[chosen, 0].astype(np.int64) * counts.shape[1] + pairs[chosen, 1]
    np.maximum.at(last, np.searchsorted(_keys(counts), keys), day[chosen])
    return last


def _only_in(part: sp.csr_matrix, whole: sp.csr_matrix) -> sp.csr_matrix:
    """Return the pairs whose every purchase of `whole` is in `part`, as a binary matrix."""
    part.data = (part.data == whole.data[_positions(whole, part)]).astype(np.float32)
    part.eliminate_zeros()
    return part


def _positions(whole: sp.csr_matrix, part: sp.csr_matrix) -> np.ndarray:
    """Find the entries of `part`, all of them in `whole`, in its `data`: (part.nnz,)."""
    return np.searchsorted(_keys(whole), _keys(part))


def _keys(matrix: sp.csr_matrix) -> np.ndarray:
    """Return one ascending number per entry: (nnz,) int64."""
    row = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
    return row * matrix.shape[1] + matrix.indices
