from collections.abc import Callable

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics.pairwise import cosine_similarity

import recsys.ranking.topk
import recsys.recommenders._neighbours
from recsys.recommenders._neighbours import find_nearest


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


def test_rows_without_entries_have_no_neighbours() -> None:
    rows = sp.csr_matrix(np.array([[1, 1], [0, 0], [1, 0]], dtype=np.float32))
    assert np.diff(find_nearest(rows, 2, itself=False).indptr).tolist() == [1, 0, 1]


def test_threads_do_not_change_the_result() -> None:
    rows = sp.csr_matrix(np.random.default_rng(1).random((300, 40)) < 0.2, dtype=np.float32)
    assert (find_nearest(rows, 5, True, threads=1) != find_nearest(rows, 5, True, threads=2)).nnz == 0
