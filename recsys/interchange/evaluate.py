"""Metrics of lists against purchases, both read from files, over the users and by the definitions of Elliot.

- Relevant are a user's test items. A rating r gains 2^(r + 1) − 1 in NDCG, so ratings that are all equal do not matter.
  A pair that is twice in a file has its last rating.
- Means are over the users with a train purchase, a test item and a list. A user without a list is left out, as Elliot
  does, or has 0 everywhere (`zero`): the fair choice where two systems have lists for different users.
- A list is ordered by rank where there is one, else by score with ties in file order; where there is neither, by the
  file. Only the items up to the cutoff count; a list shorter than the cutoff misses the rest (precision@12 of 3 hits
  in 3 items is 3/12).
- An item that is twice in a list counts twice, as in Elliot (whose Random draws with replacement); such lists are
  counted.
- An item of score −inf is in the list: Elliot fills lists up with seen items of that score.
- A test item that train lacks is relevant, though no list can have it. With `test_items: train` pairs of such items are
  left out before anything is counted, as WarpRec, RecBole and most papers do: users who have no other have no figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from pipeline.core.errors import SHOWN, UserError, first_five
from recsys.interchange.reading import Pairs, take_last_rows
from recsys.scoring.metrics import compute_metrics, coverage

WithoutList = Literal["leave-out", "zero"]
TestItems = Literal["all", "train"]


@dataclass(frozen=True)
class Evaluation:
    """The metrics of one file of lists.

    Attributes:
        users: (n_scored_users,) ids of the users that means are over.
        values: `ndcg_5` … → (n_scored_users,) float64.
        coverage: `coverage_5` …: share of the items in train that are in any list.
        counts: What was counted and left out, by name.
        rows: (n_scored_users,) their numbers among train's users.
        lists: (n_scored_users, depth) items of their lists, −1 for none. Items of train and of test have the same
            numbers for every file of lists.
        relevant: (n_scored_users, n_items) gains.
    """

    users: pa.Array
    values: dict[str, np.ndarray]
    coverage: dict[str, float]
    counts: dict[str, int]
    rows: np.ndarray
    lists: np.ndarray
    relevant: sp.csr_matrix

    def summary(self) -> dict[str, float | int]:
        """Return means over users, coverage and counts, by name."""
        return {name: float(values.mean()) for name, values in self.values.items()} | self.coverage | self.counts


def evaluate(
    train: Pairs,
    test: Pairs,
    lists: Pairs,
    cutoffs: Sequence[int],
    without_list: WithoutList = "leave-out",
    test_items: TestItems = "all",
) -> Evaluation:
    """Compute every metric of `recsys.scoring.metrics` at every cutoff.

    Args:
        train: The purchases that the lists were made from.
        test: The purchases to find.
        lists: A row per listed item.
        cutoffs: How many items of a list count.
        without_list: Whether users without a list are left out or have 0 everywhere.
        test_items: Whether all purchases of `test` count, or those of the items in `train` alone.

    Raises:
        UserError: The files have no user or no item in common, or a user has two lists.
    """
    _check_common(train, test, lists)
    n_users, depth, whole_test = len(train.user.names), max(cutoffs), test
    if test_items == "train":
        test = drop_cold_items(train, test)
    test_item, list_item, n_items = _number_items(train, test, lists)
    relevant = build_gains(train, test, test_item, n_items)
    items, has_list = build_lists(lists, lists.user.index_in(train.user.names), list_item, n_users, depth)
    has_test = np.diff(relevant.indptr) > 0
    users = np.flatnonzero(has_test if without_list == "zero" else has_test & has_list)
    if not len(users):
        raise UserError(f"{lists.path}: no list is for a user who has purchases in {train.path} and in {test.path}")
    values = compute_metrics(items[users], relevant[users], cutoffs)
    counts = {
        "users": len(users),
        "users_without_list": int((has_test & ~has_list).sum()),
        "users_without_test": int((~has_test & has_list).sum()),
        "users_not_in_train": int((whole_test.user.index_in(train.user.names) < 0).sum()),
        "lists_short": int((has_list & (items[:, -1] < 0)).sum()),
        "lists_with_an_item_twice": int(_has_repeats(items).sum()),
        "users_with_a_hit": int((values["hit_rate_" + str(depth)] > 0).sum()),
        "listed_items_not_in_train": int((lists.item.index_in(train.item.names) < 0).sum()),
        "test_items_not_in_train": int((whole_test.item.index_in(train.item.names) < 0).sum()),
        "test_pairs_left_out": len(whole_test.user.codes) - len(test.user.codes),
    }
    covered = compute_coverage(items, len(train.item.names), cutoffs)
    names = train.user.names.take(pa.array(users))
    return Evaluation(names, values, covered, counts, users, items[users], relevant[users])


def compute_coverage(items: np.ndarray, n_train: int, cutoffs: Sequence[int]) -> dict[str, float]:
    """Return `coverage_5` …: the share of the items in train, numbered below `n_train`, that are in any list."""
    candidates = np.where(items < n_train, items, -1)
    return {f"coverage_{k}": coverage(candidates, n_train, k) for k in cutoffs}


def drop_cold_items(train: Pairs, test: Pairs) -> Pairs:
    """Return the purchases of `test` whose items are in `train`."""
    return test.where(test.item.index_in(train.item.names)[test.item.codes] >= 0)


def build_gains(train: Pairs, test: Pairs, test_item: np.ndarray, n_items: int) -> sp.csr_matrix:
    """Return the gains of the train users' test items: (n_train_users, n_items) float64, a pair once, its last rating.

    Args:
        train: Its users are the rows.
        test: The purchases to find.
        test_item: (n_test_rows,) the column of each row's item.
        n_items: How many columns there are.
    """
    user = test.user.index_in(train.user.names)[test.user.codes]
    rating = test.values.get("rating", np.ones(len(user)))
    shape = (len(train.user.names), n_items)
    known = user >= 0
    user, item, gain = take_last_rows(user[known], test_item[known], 2.0 ** (rating[known] + 1) - 1, n_items)
    return sp.csr_matrix((gain, (user, item)), shape=shape)


def build_lists(
    lists: Pairs, row_of_user: np.ndarray, item: np.ndarray, n_users: int, depth: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the first `depth` items of every user, (n_users, depth) int32, −1 for none; and who has a list, bool.

    Args:
        lists: A row per listed item.
        row_of_user: (n_list_users,) row of each user of the lists, −1 for those left out.
        item: (n_rows,) column of each row's item.
        n_users: Rows of the result.
        depth: Columns of the result.
    """
    order, rank = _rank_rows(lists)
    user = row_of_user[lists.user.codes[order]]
    chosen = (user >= 0) & (rank < depth)
    items = np.full((n_users, depth), -1, dtype=np.int32)
    items[user[chosen], rank[chosen]] = item[order][chosen]
    return items, items[:, 0] >= 0


def _rank_rows(lists: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """An order of the rows, and the rank of each (0, 1, …) in its user's list."""
    user = lists.user.codes
    order = np.arange(len(user))
    is_apart = bool(np.any(user[1:] < user[:-1]))  # codes are by first appearance: a user's rows are apart
    if is_apart or "rank" in lists.values:
        _refuse_two_lists(lists)
    if is_apart:
        order = np.argsort(user, kind="stable")
    key = lists.values.get("rank", -lists.values["score"] if "score" in lists.values else None)
    if key is not None and not _is_ordered(user[order], key[order]):
        order = np.lexsort((order, key, user))
    user = user[order]
    starts = np.flatnonzero(np.append(True, user[1:] != user[:-1]))
    return order, np.arange(len(user)) - np.repeat(starts, np.diff(np.append(starts, len(user))))


def _is_ordered(user: np.ndarray, key: np.ndarray) -> bool:
    """Whether the rows of each user ascend by the key."""
    return not np.any((user[1:] == user[:-1]) & (key[1:] < key[:-1]))


def _refuse_two_lists(lists: Pairs) -> None:
    """Refuse a user with two lists.

    Where there are ranks, a user with one rank twice has two lists, such as those of two runs. Without ranks, a user's
    rows that are apart are one list where the whole file is ordered by score. Else they are two, and the file does not
    show which is meant.

    Raises:
        UserError: A user has two lists.
    """
    user, score = lists.user.codes, lists.values.get("score")
    if "rank" in lists.values:
        repeated = _find_equal_ranks(user, lists.values["rank"])
        remedy = "they have a rank twice: keep one list of each, such as that of one run"
    elif score is not None and np.all(score[1:] <= score[:-1]):
        return
    else:
        starts = np.flatnonzero(np.append(True, user[1:] != user[:-1]))
        repeated = np.flatnonzero(np.bincount(user[starts]) > 1)
        remedy = "keep one, or sort the file by user if it is one list in another order"
    if len(repeated):
        names = lists.user.names.take(pa.array(repeated[: SHOWN + 1])).to_pylist()
        raise UserError(f"{lists.path}: {len(repeated)} users have two lists, first {first_five(names)}; {remedy}")


def _find_equal_ranks(user: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """Return the users who have a rank twice, ascending."""
    if np.all((user[1:] > user[:-1]) | ((user[1:] == user[:-1]) & (rank[1:] > rank[:-1]))):
        return user[:0]  # as most files are written
    order = np.lexsort((rank, user))
    user, rank = user[order], rank[order]
    return np.unique(user[1:][(user[1:] == user[:-1]) & (rank[1:] == rank[:-1])])


def _number_items(train: Pairs, test: Pairs, lists: Pairs) -> tuple[np.ndarray, np.ndarray, int]:
    """Columns of the rows of test and of lists, and how many there are.

    Train's items come first, then those of test, then those of lists alone.
    """
    names = train.item.names
    test_column = test.item.index_in(names)
    new = test_column < 0
    test_column[new] = len(names) + np.arange(new.sum())
    names = pa.concat_arrays([names, test.item.names.filter(pa.array(new))])
    list_column = lists.item.index_in(names)
    unknown = list_column < 0
    list_column[unknown] = len(names) + np.arange(unknown.sum())
    return test_column[test.item.codes], list_column[lists.item.codes], len(names) + int(unknown.sum())


def _has_repeats(items: np.ndarray) -> np.ndarray:
    """Whether a list has an item twice: (n_users,) bool."""
    ordered = np.sort(items, axis=1)
    return ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(1)


def _check_common(train: Pairs, test: Pairs, lists: Pairs) -> None:
    """Refuse files that have no user, or no item, of train.

    Raises:
        UserError: Names both files and the first ids of each.
    """
    for kind, rows in (("user", test), ("item", test), ("user", lists), ("item", lists)):
        own, expected = getattr(rows, kind), getattr(train, kind)
        if (own.index_in(expected.names) < 0).all():
            own_ids, expected_ids = (first_five(ids.names[: SHOWN + 1].to_pylist()) for ids in (own, expected))
            raise UserError(
                f"{rows.path}: none of its {len(own.names)} {kind}s is in {train.path}: "
                f"{own_ids} here, {expected_ids} there"
            )
