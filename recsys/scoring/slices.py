"""Whom and what a recommender serves: metrics of parts of the test side.

Only some items are relevant, of the users who have such a test item:
- `masked`: the captioning test items, whose description another text takes the place of in the masked-* texts;
- `product_in_training`: those of them that share their product with an item the captioner was trained on;
- `written`: items without a description, which a captioner writes in `augmented` (catalogue `all` alone);
- `cold_items`, `warm_items`: at most `cold_buyers` train users bought the item, or more;
- `category:<name>`: the `slice_categories` with most test purchases.

All items are relevant, of some users:
- `users_who_meet_masked`, `users_who_meet_written`: those with such a test item;
- `cold_users`, `warm_users`: with at most `cold_purchases` different train items, or more.

All but those about `written` items are of the lists in common candidates, so that arms of different catalogues have the same users.
With `evaluation: published` a catalogue has no lists but its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from recsys.scoring.relevance import Relevance


@dataclass(frozen=True)
class Slice:
    name: str
    users: np.ndarray  # (n,) indices
    relevant: sp.csr_matrix  # (n, n_all_items): their relevant items
    common: bool  # whether it is of the lists in common candidates


@dataclass(frozen=True)
class Items:
    """What slices ask of the items, by the indices of data/interactions: (n_all_items,) each."""

    masked: np.ndarray  # bool
    written: np.ndarray  # bool
    product_in_training: np.ndarray  # bool: not itself in training
    category: np.ndarray  # str


@dataclass(frozen=True)
class Limits:
    """Up to where users and items are cold, and how many categories have a slice."""

    cold_purchases: int
    cold_buyers: int
    categories: int


def items_of(item_ids: np.ndarray, table: pd.DataFrame, masked: np.ndarray, written: np.ndarray) -> Items:
    """Args: table: `item_id`, `product_code`, `category`, `split` of items.parquet."""
    rows = table.set_index("item_id").reindex(item_ids.astype(str))
    trained = rows["split"].eq("train").to_numpy()
    shared = rows["product_code"].isin(set(rows["product_code"][trained].dropna())).to_numpy()
    return Items(masked, written, shared & ~trained, rows["category"].fillna("").astype(str).to_numpy(object))


def slices(own: Relevance, common: Relevance, items: Items, limits: Limits) -> Iterator[Slice]:
    """The slices of an arm's catalogue; a slice without a user is left out."""
    yield from _filled(_by_item(common, items, limits), common, True)
    yield from _filled({"written": items.written}, own, own is common)
    meets_masked = np.diff(common.masked.indptr) > 0
    meets_written = np.diff(_restricted(own.test, items.written).indptr) > 0
    purchases = np.diff(common.train.indptr)
    cold = purchases <= limits.cold_purchases
    for name, chosen in (("users_who_meet_masked", meets_masked), ("cold_users", cold), ("warm_users", ~cold)):
        yield from _of_users(name, chosen, common, True)
    yield from _of_users("users_who_meet_written", meets_written, own, own is common)


def _by_item(common: Relevance, items: Items, limits: Limits) -> dict[str, np.ndarray]:
    """Slice → its items: (n_all_items,) bool."""
    cold = common.buyers <= limits.cold_buyers
    chosen = {
        "masked": items.masked,
        "product_in_training": items.masked & items.product_in_training,
        "cold_items": cold,
        "warm_items": ~cold,
    }
    test = common.test[common.averaged]
    bought = pd.Series(items.category[test.indices]).value_counts(sort=False).sort_index()
    largest = bought.sort_values(ascending=False, kind="stable").index[: limits.categories]
    return chosen | {f"category:{name}": items.category == name for name in largest if name}


def _filled(chosen: dict[str, np.ndarray], relevance: Relevance, common: bool) -> Iterator[Slice]:
    for name, members in chosen.items():
        test = _restricted(relevance.test, members)
        users = np.flatnonzero(relevance.users & (np.diff(test.indptr) > 0))
        if len(users):
            yield Slice(name, users, test[users], common)


def _of_users(name: str, chosen: np.ndarray, relevance: Relevance, common: bool) -> Iterator[Slice]:
    users = relevance.averaged[chosen[relevance.averaged]]
    if len(users):
        yield Slice(name, users, relevance.test[users], common)


def _restricted(matrix: sp.csr_matrix, members: np.ndarray) -> sp.csr_matrix:
    """The entries in these columns."""
    kept = members[matrix.indices]
    bounds = np.append(0, np.cumsum(kept))[matrix.indptr]
    return sp.csr_matrix((matrix.data[kept], matrix.indices[kept], bounds), shape=matrix.shape)
