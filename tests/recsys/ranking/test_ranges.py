"""Ranges of rows as files, made in this process: the lists of all rows at once; test_cluster.py has real nodes."""

from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import recsys.ranking.recommend
import recsys.recommenders._neighbours
from pipeline.machine import HERE, Where
from recsys.ranking.ranges import Sharing, find_in_ranges, map_table, write_table
from recsys.ranking.recommend import recommend
from recsys.ranking.scorers import SparseProduct
from recsys.ranking.settings import Run
from recsys.recommenders._neighbours import Similarity, find_nearest, open_nearest


def draw_matrix(n_rows: int, n_columns: int, seed: int = 0) -> sp.csr_matrix:
    return sp.csr_matrix(np.random.default_rng(seed).random((n_rows, n_columns)) < 0.2, dtype=np.float32)


def assert_same(ours: sp.csr_matrix, expected: sp.csr_matrix) -> None:
    for name in ("data", "indices", "indptr"):
        found, wanted = getattr(ours, name), getattr(expected, name)
        assert found.dtype == wanted.dtype
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("columns", [7, 1000])
@pytest.mark.parametrize("itself", [True, False])
@pytest.mark.parametrize(("similarity", "shrink"), [("cosine", 0.0), ("cosine", 2.0), ("jaccard", 1.0)])
def test_neighbours_of_a_range_are_those_among_all_rows(
    similarity: Similarity, shrink: float, itself: bool, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With blocks of few columns the rows are bounded by what earlier groups gave, each range by its own."""
    monkeypatch.setattr(recsys.recommenders._neighbours, "WHOLE", columns)
    monkeypatch.setattr(recsys.recommenders._neighbours, "COLUMNS", columns)
    find = open_nearest(draw_matrix(120, 8), 5, itself, 1, similarity, shrink)
    whole = find(0, 120)
    for size in (1, 13, 119):
        parts = [find(start, min(start + size, 120)) for start in range(0, 120, size)]
        for ours, expected in zip(map(np.concatenate, zip(*parts, strict=True)), whole, strict=True):
            np.testing.assert_array_equal(ours, expected)


def test_files_of_ranges_hold_the_neighbours_of_all_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recsys.recommenders._neighbours, "ROWS", 50)
    rows = draw_matrix(120, 8)
    assert_same(find_nearest(rows, 5, False, sharing=Sharing(tmp_path, HERE)), find_nearest(rows, 5, False))
    assert len(list((tmp_path / "neighbours").glob("*.safetensors"))) == 3


@pytest.mark.parametrize(("of", "among"), [(None, np.arange(0, 120, 3)), (np.arange(60), None)])
def test_files_of_ranges_hold_the_neighbours_of_some_among_others(
    of: np.ndarray | None, among: np.ndarray | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recsys.recommenders._neighbours, "ROWS", 50)
    rows = draw_matrix(120, 8)
    shared = find_nearest(rows, 5, False, sharing=Sharing(tmp_path, HERE), of=of, among=among)
    assert_same(shared, find_nearest(rows, 5, False, of=of, among=among))
    assert len(list((tmp_path / "neighbours").glob("*.safetensors"))) == (3 if of is None else 2)


@pytest.mark.parametrize("size", [50, 500])
def test_lists_of_ranges_are_those_of_all_users(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train, weights = draw_matrix(120, 40), draw_matrix(120, 120, seed=1)
    pools = {"all": np.ones(40, bool), "some": np.arange(40) % 3 == 0, "none": np.zeros(40, bool)}
    expected = recommend(SparseProduct(weights, train), train, 6, pools)
    monkeypatch.setattr(recsys.ranking.recommend, "BLOCK_USERS", size)
    shared = recommend(SparseProduct(weights, train), train, 6, pools, sharing=Sharing(tmp_path, HERE))
    for name in pools:
        for ours, theirs in zip(shared[name], expected[name], strict=True):
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs)
    tables = {path.name for path in tmp_path.iterdir() if not path.name.startswith("lists-")}
    assert tables == {"train", "left", "pool-all", "pool-some", "pool-none"}  # right is train, written once


@pytest.mark.parametrize("table", [draw_matrix(5, 3), sp.csr_matrix((4, 2), dtype=np.float32), np.zeros(3, bool)])
def test_a_table_is_mapped_as_it_was_written(table: sp.csr_matrix | np.ndarray, tmp_path: Path) -> None:
    write_table(tmp_path / "table", table)
    mapped = map_table(tmp_path / "table")
    if isinstance(table, np.ndarray):
        np.testing.assert_array_equal(mapped, table)
    else:
        assert mapped.shape == table.shape
        assert_same(mapped, table)
        assert not np.asarray(mapped.data).flags.writeable  # pages of the file


def test_ranges_that_are_there_are_not_made_again(tmp_path: Path) -> None:
    sharing, rows = Sharing(tmp_path, HERE), draw_matrix(20, 8)
    arguments: tuple[int, bool, int, Similarity, float] = (3, True, 1, "cosine", 0.0)
    find_in_ranges("neighbours", open_nearest, {"rows": rows}, arguments, 6, sharing)
    files = sorted((tmp_path / "neighbours").glob("*.safetensors"))
    before = [path.stat().st_mtime_ns for path in files]
    files[1].write_bytes(b"damaged")
    columns, _ = find_in_ranges("neighbours", open_nearest, {"rows": rows}, arguments, 6, sharing)
    np.testing.assert_array_equal(columns, open_nearest(rows, *arguments)(0, 20)[0])
    after = [path.stat().st_mtime_ns for path in files]
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, False, True, True]


@pytest.mark.parametrize("run", [Run(0, 12), Run(0, 12, checkpoints=Path("f")), Run(0, 12, where=Where("ray"))])
def test_a_run_without_a_cluster_or_a_folder_shares_nothing(run: Run) -> None:
    assert run.share() is None


def test_a_run_on_a_cluster_shares_in_its_folder() -> None:
    assert Run(0, 12, checkpoints=Path("f"), where=Where("ray")).share() == Sharing(Path("f/ranges"), Where("ray"))
