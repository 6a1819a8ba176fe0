"""Nearest items: equal to the reference graphs and to a slow obvious implementation; zeros poison nothing."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.files import all_rows
from recsys.graphs import neighbours
from recsys.graphs.neighbours import NONE, Neighbours, find_nearest, find_nearest_once, find_neighbours

GOLDEN = Path(__file__).parents[2] / "golden/mmrec"


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_kept", {})
    monkeypatch.setattr(neighbours, "_kept_of_others", {})


def find_slowly(queries: np.ndarray, items: np.ndarray, k: int) -> list[list[int]]:
    """Compare each pair, one by one."""

    def cosine(one: np.ndarray, other: np.ndarray) -> float:
        return round(float(one @ other) / float(np.linalg.norm(one) * np.linalg.norm(other)), 9)

    found = []
    for query in queries.astype(np.float64):
        similar = [
            (-cosine(query, item), number)
            for number, item in enumerate(items.astype(np.float64))
            if query.any() and item.any()
        ]
        nearest = [number for _, number in sorted(similar)[:k]]
        found.append(nearest + [NONE] * (min(k, len(items)) - len(nearest)))
    return found


@pytest.mark.parametrize("modality", ["image", "text"])
def test_neighbours_are_those_of_the_reference(modality: str) -> None:
    features = np.load(GOLDEN / "data.npz")[modality]
    expected = np.load(GOLDEN / "FREEDOM.npz")[f"graph/{modality}_neighbours"]
    np.testing.assert_array_equal(find_neighbours(all_rows(features), 10).items, expected)


@given(n=st.integers(1, 12), dim=st.integers(1, 3), k=st.integers(1, 14), step=st.integers(1, 40), seed=st.integers(0))
def test_neighbours_equal_a_slow_implementation(n: int, dim: int, k: int, step: int, seed: int) -> None:
    """Small whole numbers: many ties, equal rows and rows of zeros; more neighbours than items."""
    rows = np.random.default_rng(seed).integers(-1, 2, (n + 3, dim)).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "BLOCK_VALUES", step)
        found = find_nearest(all_rows(rows[n:]), all_rows(rows[:n]), k)
    assert found.items.tolist() == find_slowly(rows[n:], rows[:n], k)
    known = found.items != NONE
    assert np.isfinite(found.similarities).all()
    assert not found.similarities[~known].any()


@pytest.mark.parametrize("share", [0.0, 0.1, 0.9, 1.0])
def test_a_row_of_zeros_has_no_neighbours_and_is_nobodys(share: float) -> None:
    """In MMRec its similarities are not numbers and sort first: 91 % of all neighbours with a tenth of zeros."""
    rows = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    missing = np.arange(60) < share * 60
    rows[missing] = 0
    found = find_neighbours(all_rows(rows), 10)
    assert not np.isin(found.items, np.flatnonzero(missing)).any()
    assert (found.items[missing] == NONE).all()
    without = find_nearest(all_rows(rows[~missing]), all_rows(rows[~missing]), 10)
    shifted = np.where(without.items == NONE, NONE, without.items + missing.sum())
    np.testing.assert_array_equal(found.items[~missing][:, : shifted.shape[1]], shifted)


def test_equal_rows_are_neighbours_in_the_order_of_the_items() -> None:
    found = find_neighbours(all_rows(np.ones((300, 7), np.float32) / 3), 4)
    assert (found.items == [0, 1, 2, 3]).all()


def test_other_features_of_the_same_shape_have_another_graph(tmp_path: Path) -> None:
    """MMRec's graphs are kept under the name of the file: other texts, the same graph."""
    random = np.random.default_rng(0)
    rows = [random.normal(size=(30, 5)).astype(np.float32) for _ in range(2)]
    found = [find_neighbours(all_rows(part), 3, folder=tmp_path).items for part in rows]
    assert (found[0] != found[1]).any()
    assert (found[0] != find_neighbours(all_rows(rows[0]), 4, folder=tmp_path).items[:, :3]).sum() == 0
    for part, expected in zip(rows, found, strict=True):
        np.testing.assert_array_equal(find_nearest(all_rows(part), all_rows(part), 3).items, expected)


def test_what_was_found_is_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the same process in memory, by one that continues in the folder; a damaged file is made again."""
    calls = []

    def count(*arguments: object) -> Neighbours:
        calls.append(1)
        return find_nearest(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(neighbours, "find_nearest", count)
    rows = all_rows(np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32))
    first = find_neighbours(rows, 3, folder=tmp_path)
    assert find_neighbours(rows, 3) is first
    assert len(calls) == 1
    neighbours._kept.clear()
    np.testing.assert_array_equal(find_neighbours(rows, 3, folder=tmp_path).similarities, first.similarities)
    assert len(calls) == 1
    neighbours._kept.clear()
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    np.testing.assert_array_equal(find_neighbours(rows, 3, folder=tmp_path).items, first.items)
    assert len(calls) == 2


def test_those_of_other_items_are_found_once_for_the_same_features_and_number(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(neighbours, "find_nearest", lambda *arguments: calls.append(1) or find_nearest(*arguments))
    random = np.random.default_rng(0)
    few, many, others = (all_rows(random.normal(size=(n, 5)).astype(np.float32)) for n in (8, 30, 30))
    asked = [(few, many, 3), (few, others, 3), (many, others, 3), (few, many, 4)]
    for _ in range(2):  # with copies of the features, as of another run
        for queries, items, k in asked:
            found = find_nearest_once(all_rows(queries.array.copy()), all_rows(items.array.copy()), k)
            np.testing.assert_array_equal(found.items, find_nearest(queries, items, k).items)
            np.testing.assert_array_equal(found.similarities, find_nearest(queries, items, k).similarities)
    assert len(calls) == len(asked)


def test_a_process_keeps_those_of_other_items_within_a_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "MOST_KEPT_BYTES", 500)
    random, sizes = np.random.default_rng(0), []
    for _ in range(9):
        rows = all_rows(random.normal(size=(9, 2)).astype(np.float32))
        find_nearest_once(rows, rows, 2)  # 144 bytes
        sizes.append(len(neighbours._kept_of_others))
    assert sizes == [1, 2, 3, 3, 3, 3, 3, 3, 3]


def test_a_process_keeps_few_graphs() -> None:
    random = np.random.default_rng(0)
    for _ in range(9):
        find_neighbours(all_rows(random.normal(size=(9, 2)).astype(np.float32)), 2)
    assert len(neighbours._kept) == neighbours.MOST_KEPT
