from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics.pairwise import cosine_similarity

import recsys.ranking.topk
import recsys.recommenders._neighbours
from pipeline.core.errors import UserError
from recsys.recommenders._neighbours import Similarity, find_nearest


def cosine(rows: sp.csr_matrix, shrink: float) -> np.ndarray:
    if not shrink:
        return cosine_similarity(rows)
    length = np.sqrt(np.asarray(rows.multiply(rows).sum(1), dtype=np.float64).ravel())
    return ((rows @ rows.T).toarray() / (np.outer(length, length) + shrink)).astype(np.float32)


def jaccard(rows: sp.csr_matrix, shrink: float) -> np.ndarray:
    sets = [set(row.indices) for row in rows]
    return np.array([[len(a & b) / max(len(a | b) + shrink, 1e-9) for b in sets] for a in sets], dtype=np.float32)


def slow(similarity: np.ndarray, k: int, itself: bool) -> np.ndarray:
    nearest = np.zeros_like(similarity)
    for row in range(len(similarity)):
        others = [other for other in range(len(nearest)) if similarity[row, other] > 0 and (itself or other != row)]
        for other in sorted(others, key=lambda other: (-similarity[row, other], other))[:k]:
            nearest[row, other] = similarity[row, other]
    return nearest


def small(monkeypatch: pytest.MonkeyPatch, spare: int, columns: int) -> sp.csr_matrix:
    """Few columns and binary values: most similarities are equal to many others, more than `spare` of them."""
    monkeypatch.setattr(recsys.recommenders._neighbours, "SPARE", spare)
    monkeypatch.setattr(recsys.recommenders._neighbours, "COLUMNS", columns)
    monkeypatch.setattr(recsys.recommenders._neighbours, "WHOLE", columns)
    monkeypatch.setattr(recsys.recommenders._neighbours, "FIRST", 2)
    monkeypatch.setattr(recsys.recommenders._neighbours, "PAIRS", 900)
    monkeypatch.setattr(recsys.ranking.topk, "CELLS", 300)
    return sp.csr_matrix(np.random.default_rng(1).random((120, 6)) < 0.3, dtype=np.float32)


@pytest.mark.parametrize("itself", [True, False])
@pytest.mark.parametrize("spare", [0, 3, 32])
@pytest.mark.parametrize("columns", [7, 50, 1000])
def test_equals_sorting_every_cosine_however_many_ties(
    itself: bool, spare: int, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = small(monkeypatch, spare, columns)
    np.testing.assert_array_equal(find_nearest(rows, 5, itself).toarray(), slow(cosine(rows, 0), 5, itself))


@pytest.mark.parametrize("itself", [True, False])
@pytest.mark.parametrize("shrink", [0.0, 2.5])
@pytest.mark.parametrize("similarity", [cosine, jaccard])
def test_other_similarities_equal_sorting_every_one(
    itself: bool,
    shrink: float,
    similarity: Callable[[sp.csr_matrix, float], np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = small(monkeypatch, 0, 50)
    ours = find_nearest(rows, 5, itself, similarity=similarity.__name__, shrink=shrink)
    np.testing.assert_array_equal(ours.toarray(), slow(similarity(rows, shrink), 5, itself))


@pytest.mark.parametrize(("similarity", "shrink"), [(cosine, 0.0), (cosine, 2.5), (jaccard, 0.0)])
@pytest.mark.parametrize("itself", [True, False])
@pytest.mark.parametrize("columns", [7, 1000])
def test_neighbours_of_some_rows_among_others_equal_sorting_every_one(
    columns: int,
    itself: bool,
    similarity: Callable[[sp.csr_matrix, float], np.ndarray],
    shrink: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Some of the rows are among the others, some are not."""
    rows = small(monkeypatch, 3, columns)
    of, among = np.arange(0, 120, 2), np.arange(0, 120, 3)
    every = similarity(rows, shrink)
    others = np.zeros_like(every)
    others[:, among] = every[:, among]
    ours = find_nearest(rows, 5, itself, 1, similarity.__name__, shrink, of=of, among=among)
    np.testing.assert_array_equal(ours.toarray(), slow(others, 5, itself)[np.ix_(of, among)])


def test_rows_without_entries_have_no_neighbours() -> None:
    rows = sp.csr_matrix(np.array([[1, 1], [0, 0], [1, 0]], dtype=np.float32))
    assert np.diff(find_nearest(rows, 2, itself=False).indptr).tolist() == [1, 0, 1]


def test_threads_do_not_change_the_result() -> None:
    rows = sp.csr_matrix(np.random.default_rng(1).random((300, 40)) < 0.2, dtype=np.float32)
    assert (find_nearest(rows, 5, True, threads=1) != find_nearest(rows, 5, True, threads=2)).nnz == 0


def test_wider_blocks_hold_fewer_pointers_and_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = small(monkeypatch, 3, 7)
    expected = find_nearest(rows, 5, True)
    assert recsys.recommenders._neighbours._block_width(*rows.shape) == 7
    monkeypatch.setattr(recsys.recommenders._neighbours, "POINTER_BYTES", 100)
    width = recsys.recommenders._neighbours._block_width(*rows.shape)
    assert width == 29
    assert -(-rows.shape[0] // width) * 4 * (rows.shape[1] + 1) <= 100 + 4 * rows.shape[1] + 4 * 5
    assert (find_nearest(rows, 5, True) != expected).nnz == 0


@pytest.mark.parametrize(
    ("n_rows", "n_columns", "width"),
    [(1_362_281, 104_547, 8_192), (10_000_000, 1_000_000, 74_506), (100_000_000, 10_000_000, 7_450_581)],
)
def test_pointers_of_all_blocks_stay_below_half_a_gigabyte(n_rows: int, n_columns: int, width: int) -> None:
    assert recsys.recommenders._neighbours._block_width(n_rows, n_columns) == width
    assert n_rows / width * 4 * n_columns <= recsys.recommenders._neighbours.POINTER_BYTES


@pytest.mark.parametrize("similarity", ["cosine", "jaccard"])
def test_what_cannot_be_counted_is_cut_or_refused(monkeypatch: pytest.MonkeyPatch, similarity: Similarity) -> None:
    """With small limits in the place of 2^31 − 1: the same neighbours, or a refusal."""
    rows = sp.csr_matrix(np.random.default_rng(1).random((120, 6)) < 0.3, dtype=np.float32)
    expected = find_nearest(rows, 5, True, similarity=similarity)
    monkeypatch.setattr(recsys.recommenders._neighbours, "COLUMNS", 40)
    monkeypatch.setattr(recsys.recommenders._neighbours, "PAIRS", 500)
    limits, refused = range(50, 1500, 100), 0
    for largest in limits:
        monkeypatch.setattr(recsys.ranking.topk, "LARGEST", largest)
        try:
            assert (find_nearest(rows, 5, True, similarity=similarity) != expected).nnz == 0
        except UserError:
            refused += 1
    assert 0 < refused < len(limits)


def test_neighbours_of_64_bits_are_counted_as_those_of_32() -> None:
    rows = sp.csr_matrix(np.random.default_rng(1).random((120, 6)) < 0.3, dtype=np.float32)
    wide = sp.csr_matrix((rows.data, rows.indices.astype(np.int64), rows.indptr.astype(np.int64)), shape=rows.shape)
    assert (find_nearest(wide, 5, True) != find_nearest(rows, 5, True)).nnz == 0
