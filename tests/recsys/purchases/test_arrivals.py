"""Arrivals: none of their purchases is learned from, all are relevant, and users without history are counted."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UserError
from recsys.purchases.arrivals import hold_out_test, hold_out_validation
from recsys.purchases.dataset import Split

SPLITS = ("train", "train", "validation", "test")
N_USERS, N_ITEMS = 8, 24
IDS = np.array([f"i{number:02}" for number in range(N_ITEMS)], dtype=object)
ORIGINAL = np.arange(N_ITEMS) % 6 < 4  # of each captioning split some; the others are of `all` alone
ITEMS = pd.DataFrame(
    {"item_id": IDS, "split": [SPLITS[number % 6] if ORIGINAL[number] else None for number in range(N_ITEMS)]}
)
TEST, VALIDATION = (np.array(ITEMS["split"] == name) for name in ("test", "validation"))

Pairs = list[tuple[int, int]]
pairs = st.lists(st.tuples(st.integers(0, N_USERS - 1), st.integers(0, N_ITEMS - 1)), max_size=80)
ALWAYS = [(0, int(np.flatnonzero(ITEMS["split"] == name)[0])) for name in ("train", "validation", "test")]
train_pairs = pairs.map(lambda rows: rows + ALWAYS)  # so that there is an arrival to rank


def split_of(train: Pairs, test: Pairs) -> Split:
    """Return a split of these pairs; the days of train are their positions."""
    parts = [np.array(pairs, dtype=np.int32).reshape(-1, 2) for pairs in (train, test)]
    return Split(N_USERS, IDS, ORIGINAL, *parts, train_day=np.arange(len(train), dtype=np.int32))


def pairs_of(matrix: Any, users: np.ndarray, items: np.ndarray) -> set[tuple[int, int]]:
    """Return the entries of a matrix as pairs of indices of data/interactions."""
    row, column = matrix.nonzero()
    return set(zip(users[row].tolist(), items[column].tolist(), strict=True))


@given(train=train_pairs, test=pairs)
def test_train_has_every_purchase_but_those_of_arrivals_which_are_relevant(train: Pairs, test: Pairs) -> None:
    arrivals = hold_out_test(split_of(train, test), ITEMS)
    data = arrivals.data
    learned = {(user, item) for user, item in train if ORIGINAL[item] and not TEST[item]}
    assert pairs_of(data.train, data.users, data.items) == learned
    history = {user for user, _ in learned}
    bought = {(user, item) for user, item in train + test if TEST[item]}
    assert pairs_of(arrivals.relevant, data.users, arrivals.items) == {pair for pair in bought if pair[0] in history}
    assert arrivals.items.tolist() == np.flatnonzero(TEST).tolist()
    assert arrivals.item_ids == IDS[TEST].tolist()
    assert arrivals.users_without_history == len({user for user, _ in bought} - history)
    assert data.users[arrivals.users].tolist() == sorted({user for user, _ in bought} & history)


@given(train=train_pairs, test=pairs)
def test_while_tuning_both_kinds_of_arrivals_leave_train_and_test_purchases_choose_nothing(
    train: Pairs, test: Pairs
) -> None:
    arrivals = hold_out_validation(split_of(train, test), ITEMS)
    data = arrivals.data
    learned = {(user, item) for user, item in train if ORIGINAL[item] and not TEST[item] and not VALIDATION[item]}
    assert pairs_of(data.train, data.users, data.items) == learned
    relevant = {(user, item) for user, item in train if VALIDATION[item] and user in {user for user, _ in learned}}
    assert pairs_of(arrivals.relevant, data.users, arrivals.items) == relevant


@given(train=train_pairs, test=pairs, other=train_pairs, seed=st.integers(0, 99))
def test_no_purchase_of_an_arrival_changes_what_is_learned_from(
    train: Pairs, test: Pairs, other: Pairs, seed: int
) -> None:
    """Purchases of arrivals are added, dropped and moved between users and sides."""
    before = hold_out_test(split_of(train, test), ITEMS)
    moved = [(user, int(np.flatnonzero(TEST)[item % TEST.sum()])) for user, item in other]
    kept = [pair for pair in train if not TEST[pair[1]]]
    mixed = [(kept + moved)[i] for i in np.random.default_rng(seed).permutation(len(kept) + len(moved))]
    after = hold_out_test(split_of(mixed, [pair for pair in test if not TEST[pair[1]]] + moved[::2]), ITEMS)
    for name in ("users", "items", "item_ids"):
        assert list(getattr(before.data, name)) == list(getattr(after.data, name))
    for name in ("data", "indices", "indptr"):
        assert getattr(before.data.train, name).tobytes() == getattr(after.data.train, name).tobytes()


def test_the_days_are_those_of_the_purchases_that_are_left() -> None:
    first, arrival = int(np.flatnonzero(ITEMS["split"] == "train")[0]), int(np.flatnonzero(TEST)[0])
    arrivals = hold_out_test(split_of([(0, arrival), (0, first), (1, arrival), (1, first), (0, first)], []), ITEMS)
    assert arrivals.data.last_day is not None
    assert arrivals.data.last_day.tolist() == [4, 3]


@pytest.mark.parametrize("hold", [hold_out_test, hold_out_validation])
def test_arrivals_that_nobody_bought_are_refused(hold: Any) -> None:
    train = int(np.flatnonzero(ITEMS["split"] == "train")[0])
    arrival = int(np.flatnonzero(TEST if hold is hold_out_test else VALIDATION)[0])
    with pytest.raises(
        UserError, match=r"none of the 4 arrivals \(items with split (test|validation) in .*\) was bought by"
    ):
        hold(split_of([(0, train)], [(0, train)]), ITEMS)
    with pytest.raises(UserError, match="none of the 4 arrivals"):  # by someone without a history
        hold(split_of([(0, train), (1, arrival)], []), ITEMS)
    with pytest.raises(UserError, match="nothing to learn from"):
        hold(split_of([(1, arrival)], []), ITEMS)
