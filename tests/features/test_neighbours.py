"""Nearest rows: equal to a slow obvious search, ties by order, whatever the blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features import neighbours
from features.files import all_rows
from features.neighbours import find_nearest, standardise


def search_slowly(queries: np.ndarray, rows: np.ndarray, k: int) -> list[list[int]]:
    """Compute every cosine of standardised columns by itself, and sort."""
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    varies = np.ptp(rows, axis=0) > 0

    def scale(row: np.ndarray) -> np.ndarray:
        return np.where(varies, (row - mean) / np.where(varies, deviation, 1), 0)

    def cosine(left: np.ndarray, right: np.ndarray) -> float:
        lengths = np.sqrt((left * left).sum() * (right * right).sum())
        return round(float((left * right).sum() / lengths), 10) if lengths else 0.0

    found = []
    for query in queries:
        similar = [cosine(scale(query), scale(row)) for row in rows]
        found.append(sorted(range(len(rows)), key=lambda row: (-similar[row], row))[:k])
    return found


@given(
    n=st.integers(1, 30), n_queries=st.integers(1, 9), k=st.integers(1, 12), dim=st.integers(1, 5),
    block=st.integers(1, 200), seed=st.integers(0, 10_000),
)  # fmt: skip
def test_nearest_rows_are_those_of_a_slow_search(
    n: int, n_queries: int, k: int, dim: int, block: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    # Few values, so that rows are repeated and columns are constant.
    rows, queries = (rng.integers(-2, 3, size=(size, dim)).astype(np.float64) for size in (n, n_queries))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "BLOCK_VALUES", block)
        patch.setattr(neighbours, "DIGITS", 10)
        found = find_nearest(all_rows(queries), all_rows(rows), k)
    assert found.tolist() == search_slowly(queries, rows, k)


def test_a_row_is_nearest_to_itself_and_its_copies_follow_in_order() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 8)).astype(np.float16)
    rows[[7, 31, 44]] = rows[3]
    assert find_nearest(all_rows(rows), all_rows(rows), 4)[31].tolist() == [3, 7, 31, 44]


def test_a_constant_column_counts_for_nothing() -> None:
    rows = np.array([[0, 5], [1, 5], [3, 5]], dtype=np.float32)
    mean, factor = standardise(all_rows(rows))
    assert factor[1] == 0
    np.testing.assert_allclose((rows[:, 0] - mean[0]) * factor[0], (rows[:, 0] - rows[:, 0].mean()) / rows[:, 0].std())
    assert find_nearest(all_rows(np.array([[3, -1e6]])), all_rows(rows), 1).tolist() == [[2]]


def test_no_query_has_no_neighbour() -> None:
    assert find_nearest(all_rows(np.empty((0, 2))), all_rows(np.ones((3, 2))), 2).shape == (0, 2)
