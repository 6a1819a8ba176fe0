"""Metrics of parts of the test side: for which users and on which items a recommender is good.

Slices by item: only some items are relevant, and the users are those who have such a test item.
- `masked`: the captioning test items, whose description is replaced in the masked texts;
- `product_in_training`: masked items that share their product with an item the captioner was trained on;
- `written`: items without a description, which a captioner writes in `augmented` (catalogue `all` alone);
- `cold_items`, `warm_items`: at most `cold_buyers` train users bought the item, or more;
- `buyers:1-2` and so on: as many train users bought the item as the name says (drawn by the report, not compared);
- `category:<name>`: the `slice_categories` with most test purchases.

Slices by user: all items are relevant.
- `users_who_meet_masked`, `users_who_meet_written`: those with such a test item;
- `cold_users`, `warm_users`: with at most `cold_purchases` different train items, or more.

Slices about `written` items use the lists of the arm's own catalogue. All others use the lists in common candidates, so
that arms of different catalogues have the same users. With `evaluation: published` a catalogue has only its own lists.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy.sparse as sp

from recsys.scoring.arms import BUYERS
from recsys.scoring.relevance import Relevance
from recsys.scoring.settings import RecScore

MOST_BUYERS = (0, 2, 5, 10, 20)  # upper ends of their bins; the last bin has none


@dataclass(frozen=True)
class Slice:
    """A part of the test side.

    Attributes:
        name: As in the column `slice` of the scores.
        users: (n,) indices.
        relevant: (n, n_all_items): the relevant items of these users.
        common: Whether it uses the lists in common candidates.
    """

    name: str
    users: np.ndarray
    relevant: sp.csr_matrix
    common: bool


@dataclass(frozen=True)
class ItemTraits:
    """What slices need to know of the items, by the indices of data/interactions: (n_all_items,) each.

    Attributes:
        masked: bool.
        written: bool.
        product_in_training: bool: shares its product with an item of captioning's train split, and is not one itself.
        category: str, empty where unknown.
    """

    masked: np.ndarray
    written: np.ndarray
    product_in_training: np.ndarray
    category: np.ndarray


def build_item_traits(item_ids: np.ndarray, table: pd.DataFrame, masked: np.ndarray, written: np.ndarray) -> ItemTraits:
    """Bring what is known of the items into the order of data/interactions.

    Args:
        item_ids: (n_all_items,) the order.
        table: `item_id`, `product_code`, `category`, `split` of items.parquet.
        masked: (n_all_items,) bool.
        written: (n_all_items,) bool.
    """
    rows = table.set_index("item_id").reindex(item_ids.astype(str))
    trained = rows["split"].eq("train").to_numpy()
    shared = rows["product_code"].isin(set(rows["product_code"][trained].dropna())).to_numpy()
    return ItemTraits(masked, written, shared & ~trained, rows["category"].fillna("").astype(str).to_numpy(object))


def make_slices(own: Relevance, common: Relevance, items: ItemTraits, section: RecScore) -> Iterator[Slice]:
    """Yield the slices of an arm's catalogue; a slice without a user is left out.

    Args:
        own: The test side of the arm's catalogue.
        common: That of the catalogue in common; `own` where catalogues are not compared.
        items: What is known of the items.
        section: Up to where users and items are cold, and how many categories have a slice.
    """
    yield from _slice_by_item(_choose_items(common, items, section), common, True)
    yield from _slice_by_item({"written": items.written}, own, own is common)
    meets_masked = np.diff(common.masked.indptr) > 0
    meets_written = np.diff(_restrict_columns(own.test, items.written).indptr) > 0
    purchases = np.diff(common.train.indptr)
    cold = purchases <= section.cold_purchases
    for name, chosen in (("users_who_meet_masked", meets_masked), ("cold_users", cold), ("warm_users", ~cold)):
        yield from _slice_by_user(name, chosen, common, True)
    yield from _slice_by_user("users_who_meet_written", meets_written, own, own is common)


def _choose_items(common: Relevance, items: ItemTraits, section: RecScore) -> dict[str, np.ndarray]:
    """Slice → its items: (n_all_items,) bool."""
    cold = common.buyers <= section.cold_buyers
    chosen = {
        "masked": items.masked,
        "product_in_training": items.masked & items.product_in_training,
        "cold_items": cold,
        "warm_items": ~cold,
    }
    test = common.test[common.scored_users]
    bought = pd.Series(items.category[test.indices]).value_counts(sort=False).sort_index()
    largest = bought.sort_values(ascending=False, kind="stable").index[: section.slice_categories]
    chosen |= {f"category:{name}": items.category == name for name in largest if name}
    return chosen | _bin_buyers(common.buyers)


def _bin_buyers(buyers: np.ndarray) -> dict[str, np.ndarray]:
    """Return bin → its items, from items that nobody bought to those of most buyers.

    >>> {name: members.nonzero()[0].tolist() for name, members in _bin_buyers(np.array([0, 1, 30])).items()}
    ... # doctest: +NORMALIZE_WHITESPACE
    {'buyers:0': [0], 'buyers:1-2': [1], 'buyers:3-5': [], 'buyers:6-10': [], 'buyers:11-20': [],
     'buyers:21-': [2]}
    """
    bins, low = {}, 0
    for high in MOST_BUYERS:
        name = str(low) if low == high else f"{low}-{high}"
        bins[BUYERS + name] = (buyers >= low) & (buyers <= high)
        low = high + 1
    return bins | {f"{BUYERS}{low}-": buyers >= low}


def _slice_by_item(chosen: dict[str, np.ndarray], relevance: Relevance, common: bool) -> Iterator[Slice]:
    for name, members in chosen.items():
        test = _restrict_columns(relevance.test, members)
        users = np.flatnonzero(relevance.users & (np.diff(test.indptr) > 0))
        if len(users):
            yield Slice(name, users, test[users], common)


def _slice_by_user(name: str, chosen: np.ndarray, relevance: Relevance, common: bool) -> Iterator[Slice]:
    users = relevance.scored_users[chosen[relevance.scored_users]]
    if len(users):
        yield Slice(name, users, relevance.test[users], common)


def _restrict_columns(matrix: sp.csr_matrix, members: np.ndarray) -> sp.csr_matrix:
    """The matrix with the entries of these columns alone: (n_rows, n_columns) as before."""
    entries = members[matrix.indices]
    bounds = np.append(0, np.cumsum(entries))[matrix.indptr]
    return sp.csr_matrix((matrix.data[entries], matrix.indices[entries], bounds), shape=matrix.shape)
