"""What is relevant to each user within a catalogue: the test side that lists are scored against."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp

from catalogue.descriptions.variants import CAPTIONER_SOURCES, is_masked
from recsys.purchases.dataset import Catalogue, Split, restrict


@dataclass(frozen=True)
class Relevance:
    """The test side of a catalogue.

    Matrices are binary (n_all_users, n_all_items), by the indices of data/interactions.

    Attributes:
        users: (n_all_users,) bool: has a train purchase in the catalogue, so that lists can be made.
        n_candidates: Items of the catalogue that a user bought in train.
        train: Train purchases in the catalogue.
        test: Test purchases in the catalogue.
        masked: Those of `test` whose item has another description in the masked texts.
        counts: `test_items`, `test_items_repeated` and `test_items_cold` of metrics/recommendations.json.
    """

    catalogue: Catalogue
    users: np.ndarray
    n_candidates: int
    train: sp.csr_matrix
    test: sp.csr_matrix
    masked: sp.csr_matrix
    counts: dict[str, int]

    @cached_property
    def scored_users(self) -> np.ndarray:
        """The users that means are over, with train and test purchases: (n,) indices."""
        return np.flatnonzero(self.users & (np.diff(self.test.indptr) > 0))

    @cached_property
    def buyers(self) -> np.ndarray:
        """The number of train users of each item: (n_all_items,)."""
        return np.bincount(self.train.indices, minlength=self.train.shape[1])


def build_relevance(split: Split, catalogue: Catalogue, masked: np.ndarray) -> Relevance:
    """Restrict the split to a catalogue.

    Args:
        split: Purchases of all articles.
        catalogue: The catalogue to restrict it to.
        masked: (n_all_items,) bool, see `find_masked_items`.
    """
    members = split.members(catalogue)
    data = restrict(split, catalogue)
    users = np.zeros(split.n_users, dtype=bool)
    users[data.users] = True
    test = split.matrix(split.test, members)
    train = split.matrix(split.train, members)
    known = sp.diags_array(users.astype(np.float32)) @ test  # of users who have lists
    cold = np.isin(known.indices, data.items, invert=True)
    counts = {
        "test_items": int(known.count_nonzero()),
        "test_items_repeated": int(known.multiply(train).count_nonzero()),
        "test_items_cold": int((known.data[cold] > 0).sum()),
    }
    masked_test = split.matrix(split.test, members & masked)
    return Relevance(catalogue, users, len(data.items), train, test, masked_test, counts)


def find_masked_items(split: Split, texts: Sequence[str], folder: Path) -> np.ndarray:
    """Tell which items have another description in the masked texts of the axis: (n_all_items,) bool.

    Args:
        split: The items and their order.
        texts: The axis `texts` of params.yaml.
        folder: Where their tables are: data/texts.
    """
    return _find_items(split, [text for text in texts if is_masked(text)], folder, "masked")


def find_written_items(split: Split, texts: Sequence[str], folder: Path) -> np.ndarray:
    """Tell which items have no description, so that a captioner writes it in a text of the axis: (n_all_items,) bool.

    Args:
        split: The items and their order.
        texts: The axis `texts` of params.yaml.
        folder: Where their tables are: data/texts.
    """
    return _find_items(split, [text for text in texts if not is_masked(text)], folder, "source")


def _find_items(split: Split, texts: list[str], folder: Path, column: str) -> np.ndarray:
    """The items whose `column` is True or a captioner's source in one of the texts."""
    ids: set[str] = set()
    for text in texts:
        table = pd.read_parquet(folder / f"{text}.parquet", columns=["item_id", column])
        ids.update(table.loc[table[column].isin([True, *CAPTIONER_SOURCES]), "item_id"])
    return np.isin(split.item_ids.astype(str), sorted(ids)) if ids else np.zeros(len(split.item_ids), dtype=bool)
