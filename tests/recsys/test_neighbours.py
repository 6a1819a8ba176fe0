import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.metrics.pairwise import cosine_similarity

import recsys.neighbours
from recsys.neighbours import nearest


def slow(rows: sp.csr_matrix, k: int, itself: bool) -> np.ndarray:
    cosine = cosine_similarity(rows)
    kept = np.zeros_like(cosine)
    for row in range(len(cosine)):
        others = [other for other in range(len(cosine)) if cosine[row, other] > 0 and (itself or other != row)]
        for other in sorted(others, key=lambda other: (-cosine[row, other], other))[:k]:
            kept[row, other] = cosine[row, other]
    return kept


@pytest.mark.parametrize("itself", [True, False])
@pytest.mark.parametrize("spare", [0, 3, 32])
def test_equals_sorting_every_cosine_however_many_ties(
    itself: bool, spare: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few columns and binary values: most cosines are equal to many others, more than `spare` of them."""
    monkeypatch.setattr(recsys.neighbours, "SPARE", spare)
    monkeypatch.setattr(recsys.neighbours, "ROWS", 7)
    rows = sp.csr_matrix(np.random.default_rng(1).random((120, 6)) < 0.3, dtype=np.float32)
    np.testing.assert_array_equal(nearest(rows, 5, itself).toarray(), slow(rows, 5, itself))


def test_rows_without_entries_have_no_neighbours() -> None:
    rows = sp.csr_matrix(np.array([[1, 1], [0, 0], [1, 0]], dtype=np.float32))
    assert np.diff(nearest(rows, 2, itself=False).indptr).tolist() == [1, 0, 1]


def test_threads_do_not_change_the_result() -> None:
    rows = sp.csr_matrix(np.random.default_rng(1).random((300, 40)) < 0.2, dtype=np.float32)
    assert (nearest(rows, 5, True, threads=1) != nearest(rows, 5, True, threads=2)).nnz == 0
