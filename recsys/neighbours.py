"""The k nearest rows of a sparse matrix by cosine, without rows × rows memory (sparse_dot_topn).

Cosines are float32, computed as scikit-learn's `cosine_similarity` does (rows divided by their norm, then multiplied):
exact ones break some ties of binary data otherwise (about 2 % of users, `notes/elliot.md`).
Ties: similarity descending, then index ascending.
"""

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize
from sparse_dot_topn import sp_matmul_topn

SPARE = 32  # neighbours asked for beyond k, so that a tie at the k-th place is nearly always seen whole
ROWS = 1024  # rows whose whole product is computed at once where it is not


def nearest(rows: sp.csr_matrix, k: int, itself: bool, threads: int = 1) -> sp.csr_matrix:
    """Row i holds the cosines of the k rows nearest to row i, zeros never: (n_rows, n_rows) float32, indices sorted.

    Args:
        itself: whether a row counts as one of its own k neighbours (it does in Elliot) or is left out.
    """
    unit = normalize(rows.astype(np.float32), norm="l2", axis=1).tocsr()
    across = unit.T.tocsr()
    asked = k + (not itself) + SPARE
    top = sp_matmul_topn(unit, across, top_n=min(asked, unit.shape[0]), n_threads=threads)
    chosen = _keep(top, k, itself, np.arange(unit.shape[0]))
    cut = _cut_short(top, chosen, min(asked, unit.shape[0]))
    if not len(cut):
        return chosen
    whole = [
        _keep((unit[part] @ across).tocsr(), k, itself, part) for part in np.split(cut, range(ROWS, len(cut), ROWS))
    ]
    return _replace(chosen, cut, sp.vstack(whole).tocsr())


def _keep(similarity: sp.csr_matrix, k: int, itself: bool, own: np.ndarray) -> sp.csr_matrix:
    """The k largest of each row; `own[r]` is the column that is row r itself."""
    entries = similarity.tocoo()
    row, column, value = entries.row, entries.col, entries.data
    kept = value > 0 if itself else (value > 0) & (column != own[row])
    row, column, value = row[kept], column[kept], value[kept]
    order = np.lexsort((column, -value, row))
    row, column, value = row[order], column[order], value[order]
    counts = np.bincount(row, minlength=similarity.shape[0])
    place = np.arange(len(row)) - (np.cumsum(counts) - counts)[row]
    kept = place < k
    result = sp.csr_matrix((value[kept], (row[kept], column[kept])), shape=similarity.shape)
    result.sort_indices()
    return result


def _cut_short(top: sp.csr_matrix, chosen: sp.csr_matrix, asked: int) -> np.ndarray:
    """The rows where a neighbour left out may tie with the last one chosen: all asked for came, the worst of them as good."""
    full = (np.diff(top.indptr) == asked) & (asked < top.shape[1])
    return np.flatnonzero(full & (_least(top) >= _least(chosen)))


def _least(matrix: sp.csr_matrix) -> np.ndarray:
    """The least entry of each row, infinite for an empty one: (n_rows,)."""
    filled = np.diff(matrix.indptr) > 0
    least = np.full(matrix.shape[0], np.inf, dtype=np.float32)
    least[filled] = np.minimum.reduceat(matrix.data, matrix.indptr[:-1][filled]) if filled.any() else []
    return least


def _replace(matrix: sp.csr_matrix, rows: np.ndarray, new: sp.csr_matrix) -> sp.csr_matrix:
    """The matrix with these rows replaced."""
    source = np.arange(matrix.shape[0])
    source[rows] = matrix.shape[0] + np.arange(len(rows))
    return sp.vstack([matrix, new]).tocsr()[source]
