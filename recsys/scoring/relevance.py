"""What is relevant to whom within a catalogue: the test side that lists are scored against."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from catalogue.descriptions.variants import CAPTIONER_SOURCES, is_masked
from recsys.purchases.dataset import Catalogue, Split, restrict

TEXTS = Path("data/texts")


@dataclass(frozen=True)
class Relevance:
    """Matrices are (n_all_users, n_all_items), by the indices of data/interactions, binary."""

    catalogue: Catalogue
    users: np.ndarray  # (n_all_users,) bool: has a train purchase in the catalogue
    n_candidates: int
    train: sp.csr_matrix
    test: sp.csr_matrix
    masked: sp.csr_matrix  # of test
    counts: dict[str, int]

    @cached_property
    def averaged(self) -> np.ndarray:
        """The users that means are over: (n,) indices."""
        return np.flatnonzero(self.users & (np.diff(self.test.indptr) > 0))

    @cached_property
    def buyers(self) -> np.ndarray:
        """Train users of each item: (n_all_items,)."""
        return np.bincount(self.train.indices, minlength=self.train.shape[1])


def relevance(split: Split, catalogue: Catalogue, masked: np.ndarray) -> Relevance:
    """Args: masked: (n_all_items,) bool."""
    members = split.members(catalogue)
    data = restrict(split, catalogue)
    users = np.zeros(split.n_users, dtype=bool)
    users[data.users] = True
    test = split.matrix(split.test, members)
    train = split.matrix(split.train, members)
    known = sp.diags_array(users.astype(np.float32)) @ test  # of users who can be recommended something
    cold = np.isin(known.indices, data.items, invert=True)
    counts = {
        "test_items": int(known.count_nonzero()),
        "test_items_repeated": int(known.multiply(train).count_nonzero()),
        "test_items_cold": int((known.data[cold] > 0).sum()),
    }
    masked_test = split.matrix(split.test, members & masked)
    return Relevance(catalogue, users, len(data.items), train, test, masked_test, counts)


def masked_items(split: Split, texts: Sequence[str], folder: Path = TEXTS) -> np.ndarray:
    """Which items have another description in the masked-* texts of the axis: (n_all_items,) bool."""
    return _items_of(split, [text for text in texts if is_masked(text)], folder, "masked")


def written_items(split: Split, texts: Sequence[str], folder: Path = TEXTS) -> np.ndarray:
    """Which items have no description of their own, so that a captioner writes it in a text of the axis: (n_all_items,) bool."""
    return _items_of(split, [text for text in texts if not is_masked(text)], folder, "source")


def _items_of(split: Split, texts: list[str], folder: Path, column: str) -> np.ndarray:
    ids: set[str] = set()
    for text in texts:
        table = pd.read_parquet(folder / f"{text}.parquet", columns=["item_id", column])
        ids.update(table.loc[table[column].isin([True, *CAPTIONER_SOURCES]), "item_id"])
    return np.isin(split.item_ids.astype(str), sorted(ids)) if ids else np.zeros(len(split.item_ids), dtype=bool)
