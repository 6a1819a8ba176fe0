import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.purchases import splits
from recsys.purchases.settings import FewPurchases
from recsys.purchases.splits import Purchases

ROWS = st.lists(
    st.tuples(st.integers(0, 6), st.integers(0, 4), st.integers(-3, 2)), min_size=1, max_size=60
)  # (user, item, day), in file order; days before 1970 are negative


def purchases(rows: list[tuple[int, int, int]]) -> Purchases:
    return Purchases(*np.array(rows, dtype=np.int32).reshape(-1, 3).T)


def of_user(rows: list[tuple[int, int, int]], user: int) -> list[int]:
    """The user's rows by day and file order."""
    return sorted((row for row, (owner, _, _) in enumerate(rows) if owner == user), key=lambda row: (rows[row][2], row))


@settings(deadline=None)
@given(
    rows=ROWS,
    tenths=st.integers(1, 9),
    least=st.integers(1, 5),
    few_purchases=st.sampled_from(["train", "drop", "study"]),
)
def test_by_user_equals_the_rule_read_aloud(
    rows: list[tuple[int, int, int]], tenths: int, least: int, few_purchases: FewPurchases
) -> None:
    test = splits.is_test_by_user(purchases(rows), tenths / 10, least, few_purchases)
    for user in range(7):
        own = of_user(rows, user)
        n_train = max(1, (10 - tenths) * len(own) // 10)
        if len(own) < least:
            n_train = 0 if few_purchases == "study" else len(own)
        assert [bool(test[row]) for row in own] == [False] * n_train + [True] * (len(own) - n_train)


@settings(deadline=None)
@given(
    rows=ROWS,
    days=st.integers(1, 4),
    least=st.integers(1, 5),
    few_purchases=st.sampled_from(["train", "drop", "study"]),
)
def test_by_date_cuts_all_users_at_the_same_day(
    rows: list[tuple[int, int, int]], days: int, least: int, few_purchases: FewPurchases
) -> None:
    test = splits.is_test_by_date(purchases(rows), days, least, few_purchases)
    last = max(day for _, _, day in rows)
    for row, (user, _, day) in enumerate(rows):
        expected = day > last - days if len(of_user(rows, user)) >= least else few_purchases == "study"
        assert test[row] == expected


def test_four_fifths_rounded_down_are_train() -> None:
    for n, n_train in ((2, 1), (3, 2), (4, 3), (5, 4), (9, 7), (10, 8), (11, 8)):
        whole = purchases([(0, day, day) for day in range(n)])
        assert (~splits.is_test_by_user(whole, 0.2, 2, "train")).sum() == n_train


def test_a_user_with_one_purchase_is_entirely_in_train_unless_it_is_done_as_in_the_study() -> None:
    """In the study ⌊0.8 · 1⌋ = 0: these users were entirely in test, where nothing can be recommended to them."""
    rows = purchases([(0, 0, 1), (1, 0, 1), (1, 1, 2)])
    assert splits.is_test_by_user(rows, 0.2, 2, "train").tolist() == [False, False, True]
    assert splits.is_test_by_user(rows, 0.2, 2, "study").tolist() == [True, False, True]
    assert splits.has_few(rows, 2).tolist() == [True, False, False]


def test_the_same_day_keeps_file_order_and_loses_nothing() -> None:
    same_day = purchases([(0, item, 4) for item in range(5)])
    assert splits.is_test_by_user(same_day, 0.2, 2, "train").tolist() == [False, False, False, False, True]


def test_the_studys_sampler_lost_all_but_the_first_purchase_of_a_day() -> None:
    rows = purchases([(0, 1, 4), (1, 1, 4), (0, 2, 4), (0, 3, 5), (1, 2, 3)])
    assert splits.is_first_of_day(rows).tolist() == [True, True, False, True, True]


@settings(deadline=None)
@given(rows=ROWS)
def test_first_of_day_and_of_item_equal_the_rule_read_aloud(rows: list[tuple[int, int, int]]) -> None:
    by_day, by_item = splits.is_first_of_day(purchases(rows)), splits.is_first_of_item(purchases(rows))
    for row, (user, item, day) in enumerate(rows):
        assert by_day[row] == (not any((owner, date) == (user, day) for owner, _, date in rows[:row]))
        same = [other for other in of_user(rows, user) if rows[other][1] == item]
        assert by_item[row] == (same[0] == row)


@settings(deadline=None)
@given(rows=ROWS, target=st.integers(0, 70), seed=st.integers(0, 3))
def test_a_sample_is_of_whole_users_and_as_large_as_fits(
    rows: list[tuple[int, int, int]], target: int, seed: int
) -> None:
    whole = purchases(rows)
    chosen = splits.is_in_sample(whole, target, seed)
    assert chosen.sum() <= target
    taken, left = set(whole.user[chosen]), set(whole.user[~chosen])
    assert not taken & left
    if left:  # the next user would have been too many
        assert chosen.sum() + np.bincount(whole.user).max() > target
    assert (splits.is_in_sample(whole, target, seed) == chosen).all()


def test_another_seed_draws_other_users() -> None:
    whole = purchases([(user, 0, 0) for user in range(50)])
    samples = [tuple(np.flatnonzero(splits.is_in_sample(whole, 20, seed))) for seed in range(5)]
    assert all(len(users) == 20 for users in samples)
    assert len(set(samples)) == 5


@settings(deadline=None)
@given(rows=ROWS, per_user=st.integers(0, 3))
def test_validation_is_the_end_of_train_and_never_all_of_a_user(
    rows: list[tuple[int, int, int]], per_user: int
) -> None:
    late = splits.is_validation(purchases(rows), per_user)
    for user in range(7):
        own = of_user(rows, user)
        n_late = min(per_user, max(0, len(own) - 1))
        assert [bool(late[row]) for row in own] == [False] * (len(own) - n_late) + [True] * n_late


@pytest.mark.parametrize("day", [0, 17_794, -3])
def test_by_user_is_by_user_day_and_file_order(day: int) -> None:
    rows = purchases([(1, 0, day + 2), (0, 0, day + 1), (1, 1, day), (0, 1, day + 1)])
    assert splits.order_by_user(rows).tolist() == [1, 3, 2, 0]
