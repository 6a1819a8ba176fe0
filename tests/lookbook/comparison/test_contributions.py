"""Hits of two arms as differences by user and product, against plain loops."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookbook.comparison.contributions import Hits, compare_hits, pair_runs

N_USERS = 5
N_ITEMS = 7
PRODUCT = np.array([0, 0, 1, 2, 2, 3, 1])
hit = st.tuples(
    st.integers(0, 2),
    st.integers(0, N_USERS - 1),
    st.integers(0, N_ITEMS - 1),
    st.integers(1, 16).map(lambda part: part / 16),
)
hits = st.lists(hit, max_size=25)


def build_hits(rows: list[tuple[int, int, int, float]]) -> Hits:
    return Hits(*(np.array([row[i] for row in rows], dtype=float if i == 3 else int) for i in range(4)))


@settings(max_examples=80, deadline=None)
@given(hits, hits, st.sampled_from([[(0, 0), (1, 1), (2, 2)], [(0, 1), (0, 2)], [(1, 1)]]))
def test_differences_equal_plain_loops(
    a: list[tuple[int, int, int, float]], b: list[tuple[int, int, int, float]], runs: list[tuple[int, int]]
) -> None:
    differences, facts = compare_hits(build_hits(a), build_hits(b), runs, PRODUCT, N_USERS, 4)
    expected: dict[tuple[int, int], list[float]] = {}
    by_item = np.zeros(N_ITEMS)
    items = set()
    for sign, rows, side in ((1, a, 0), (-1, b, 1)):
        for run, user, item, contribution in rows:
            for column, pair in enumerate(runs):
                if pair[side] == run:
                    cell = expected.setdefault((user, int(PRODUCT[item])), [0.0] * len(runs))
                    cell[column] += sign * contribution
                    by_item[item] += sign * contribution
                    items.add(item)
    cells = list(zip(differences.user.tolist(), differences.product.tolist(), strict=True))
    assert cells == sorted(expected)
    for cell, values in zip(cells, differences.values, strict=True):
        assert values == pytest.approx(expected[cell])
    assert (facts["products"], facts["hit_items"]) == (4, len(items))
    assert facts["top10_share"] == pytest.approx(1.0 if by_item.any() else 0.0)


def test_the_ten_largest_garments_have_a_share() -> None:
    rows = [(0, 0, item, 2.0 if item < 10 else 1.0) for item in range(20)]
    product = np.arange(20)
    _, facts = compare_hits(build_hits(rows), build_hits([]), [(0, 0)], product, 1, 20)
    assert facts["top10_share"] == pytest.approx(2 / 3)


def test_a_deterministic_arm_is_paired_with_every_run() -> None:
    a, b = build_hits([(0, 0, 0, 0.5)]), build_hits([(0, 0, 0, 0.1), (1, 0, 0, 0.2)])
    differences, _ = compare_hits(a, b, pair_runs([0], [0, 1]), PRODUCT, 1, 4)
    assert differences.values == pytest.approx(np.array([[0.4, 0.3]]))


@given(hits, st.sets(st.integers(0, N_USERS + 2)))
def test_hits_of_users_are_numbered_in_their_order(rows: list[tuple[int, int, int, float]], users: set[int]) -> None:
    chosen = build_hits(rows).of_users(np.array(sorted(users), dtype=int))
    table = pd.DataFrame(rows, columns=["run", "user", "item", "contribution"])
    expected = table[table["user"].isin(users)]
    places = [sorted(users).index(user) for user in expected["user"]]
    assert chosen.user.tolist() == places
    assert chosen.contribution.tolist() == expected["contribution"].tolist()
