"""Metrics of anyone's lists against anyone's purchases, over the users and by the definitions of Elliot.

- Relevant are a user's test items; a rating r gains 2^(r + 1) − 1 in NDCG, so ratings that are all equal do not matter. A pair that
  is twice in a file has its last rating.
- Averaged are the users with a train purchase, a test item and a list. A user without a list is left out, as Elliot does, or has 0
  everywhere (`zero`): what is fair where two systems answer for different users.
- A list is ordered by rank where there is one, else by score, equal scores in file order; where there is neither, by the file. What
  is beyond the cutoff is not looked at; a list shorter than the cutoff misses the rest (precision@12 of 3 hits in 3 is 3/12).
- An item that is twice in a list counts twice, as in Elliot (whose Random draws with replacement); such lists are counted.
- An item of score −inf is in the list: Elliot fills up with seen items so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import scipy.sparse as sp

from pipeline.core.errors import SHOWN, UserError, first_five
from recsys.interchange.reading import Pairs
from recsys.scoring.metrics import compute_metrics, coverage

WithoutList = Literal["leave-out", "zero"]


@dataclass(frozen=True)
class Evaluation:
    users: pa.Array  # (n_averaged,) ids
    values: dict[str, np.ndarray]  # ndcg_5 … → (n_averaged,) float64
    coverage: dict[str, float]  # coverage_5 …: of the items in train, over every list
    counts: dict[str, int]

    def summary(self) -> dict[str, float | int]:
        """Means over users, coverage and counts, by name."""
        return {name: float(values.mean()) for name, values in self.values.items()} | self.coverage | self.counts


def evaluate(
    train: Pairs, test: Pairs, lists: Pairs, cutoffs: Sequence[int], without_list: WithoutList = "leave-out"
) -> Evaluation:
    """Every metric of `recsys.scoring.metrics` at every cutoff.

    Raises:
        UserError: the files have no user or no item in common, or a user has two lists.
    """
    _check_common(train, test, lists)
    n_users, depth = len(train.user.names), max(cutoffs)
    test_item, list_item, n_items = _item_codes(train, test, lists)
    relevant = relevant_gains(train, test, test_item, n_items)
    listed, has_list = list_matrix(lists, lists.user.places_in(train.user.names), list_item, n_users, depth)
    known = np.diff(relevant.indptr) > 0
    averaged = np.flatnonzero(known if without_list == "zero" else known & has_list)
    if not len(averaged):
        raise UserError(f"{lists.path}: no list is for a user who has purchases in {train.path} and in {test.path}")
    values = compute_metrics(listed[averaged], relevant[averaged], cutoffs)
    counts = {
        "users": len(averaged),
        "users_without_list": int((known & ~has_list).sum()),
        "users_without_test": int((~known & has_list).sum()),
        "users_not_in_train": int((test.user.places_in(train.user.names) < 0).sum()),
        "lists_short": int((has_list & (listed[:, -1] < 0)).sum()),
        "lists_with_an_item_twice": int(_has_twice(listed).sum()),
        "users_with_a_hit": int((values["hit_rate_" + str(depth)] > 0).sum()),
        "listed_items_not_in_train": int((lists.item.places_in(train.item.names) < 0).sum()),
        "test_items_not_in_train": int((test.item.places_in(train.item.names) < 0).sum()),
    }
    n_train = len(train.item.names)
    inside = np.where(listed < n_train, listed, -1)  # coverage is of the items in train
    covered = {f"coverage_{k}": float(coverage(inside, n_train, k)) for k in cutoffs}
    return Evaluation(train.user.names.take(pa.array(averaged)), values, covered, counts)


def relevant_gains(train: Pairs, test: Pairs, test_item: np.ndarray, n_items: int) -> sp.csr_matrix:
    """Gains of the train users' test items: (n_train_users, n_items) float64, a pair once, its last rating."""
    user = test.user.places_in(train.user.names)[test.user.codes]
    rating = test.values.get("rating", np.ones(len(user)))
    shape = (len(train.user.names), n_items)
    known = user >= 0
    user, item, gain = last_of_each(user[known], test_item[known], 2.0 ** (rating[known] + 1) - 1, n_items)
    return sp.csr_matrix((gain, (user, item)), shape=shape)


def last_of_each(
    user: np.ndarray, item: np.ndarray, value: np.ndarray, n_items: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The last row of each pair, by user and item."""
    key = user.astype(np.int64) * n_items + item
    order = np.argsort(key, kind="stable")
    key = key[order]
    kept = order[np.append(key[1:] != key[:-1], True)] if len(key) else order
    return user[kept], item[kept], value[kept]


def list_matrix(
    lists: Pairs, place_of_user: np.ndarray, item: np.ndarray, n_users: int, depth: int
) -> tuple[np.ndarray, np.ndarray]:
    """The first `depth` items of every user: (n_users, depth) int32, −1 for none; and who has a list: (n_users,) bool.

    Args:
        place_of_user: (n_list_users,) row of each user of the lists, −1 for those left out.
        item: (n_rows,) column of each row's item.
    """
    order, place = _places(lists)
    user = place_of_user[lists.user.codes[order]]
    kept = (user >= 0) & (place < depth)
    listed = np.full((n_users, depth), -1, dtype=np.int32)
    listed[user[kept], place[kept]] = item[order][kept]
    return listed, listed[:, 0] >= 0


def _places(lists: Pairs) -> tuple[np.ndarray, np.ndarray]:
    """An order of the rows, and the place of each (0, 1, …) in its user's list."""
    user = lists.user.codes
    order = np.arange(len(user))
    if np.any(user[1:] < user[:-1]):  # codes are by first appearance: a user's rows are apart
        _refuse_two_lists(lists)
        order = np.argsort(user, kind="stable")
    by = lists.values.get("rank", -lists.values["score"] if "score" in lists.values else None)
    if by is not None and _climbs(user[order], by[order]):
        order = np.lexsort((order, by, user))
    user = user[order]
    starts = np.flatnonzero(np.append(True, user[1:] != user[:-1]))
    return order, np.arange(len(user)) - np.repeat(starts, np.diff(np.append(starts, len(user))))


def _climbs(user: np.ndarray, by: np.ndarray) -> bool:
    """Whether a user's rows are not in order."""
    return bool(np.any((user[1:] == user[:-1]) & (by[1:] < by[:-1])))


def _refuse_two_lists(lists: Pairs) -> None:
    """Rows of a user that are apart are one list where ranks say so, or where the whole file is by score; else they are two.

    Raises:
        UserError: which of two lists is meant is not ours to say.
    """
    user, score = lists.user.codes, lists.values.get("score")
    if "rank" in lists.values:
        one = not _same_rank_twice(user, lists.values["rank"])
    else:
        one = score is not None and bool(np.all(score[1:] <= score[:-1]))
    if not one:
        starts = np.flatnonzero(np.append(True, user[1:] != user[:-1]))
        twice = np.flatnonzero(np.bincount(user[starts]) > 1)
        names = lists.user.names.take(pa.array(twice[: SHOWN + 1])).to_pylist()
        raise UserError(
            f"{lists.path}: {len(twice)} users have two lists, first {first_five(names)}; "
            "keep one, or sort the file by user if it is one list in another order"
        )


def _same_rank_twice(user: np.ndarray, rank: np.ndarray) -> bool:
    order = np.lexsort((rank, user))
    user, rank = user[order], rank[order]
    return bool(np.any((user[1:] == user[:-1]) & (rank[1:] == rank[:-1])))


def _item_codes(train: Pairs, test: Pairs, lists: Pairs) -> tuple[np.ndarray, np.ndarray, int]:
    """Columns of the rows of test and of lists, and how many: train's items, then those of test, then those in lists alone."""
    names = train.item.names
    test_place = test.item.places_in(names)
    new = test_place < 0
    test_place[new] = len(names) + np.arange(new.sum())
    names = pa.concat_arrays([names, test.item.names.filter(pa.array(new))])
    list_place = lists.item.places_in(names)
    unknown = list_place < 0
    list_place[unknown] = len(names) + np.arange(unknown.sum())
    return test_place[test.item.codes], list_place[lists.item.codes], len(names) + int(unknown.sum())


def _has_twice(listed: np.ndarray) -> np.ndarray:
    ordered = np.sort(listed, axis=1)
    return ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(1)


def _check_common(train: Pairs, test: Pairs, lists: Pairs) -> None:
    pairs = (("user", test, train), ("user", lists, train), ("item", lists, train))
    for kind, ours, theirs in pairs:
        mine, other = getattr(ours, kind), getattr(theirs, kind)
        if (mine.places_in(other.names) < 0).all():
            shown, expected = (first_five(names[: SHOWN + 1].to_pylist()) for names in (mine.names, other.names))
            raise UserError(
                f"{ours.path}: none of its {len(mine.names)} {kind}s is in {theirs.path}: {shown} here, {expected} there"
            )
