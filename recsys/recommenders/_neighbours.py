"""The k nearest rows of a sparse matrix by cosine or Jaccard, without rows × rows memory (sparse_dot_topn).

- cosine = a · b / (|a| |b| + shrink). Without shrink it is float32, computed as scikit-learn's `cosine_similarity` does (rows
  divided by their norm, then multiplied): exact ones break some ties of binary data otherwise (about 2 % of users).
- jaccard = |a ∩ b| / (|a ∪ b| + shrink), of what is there, whatever its value.

Ties: similarity descending, then index ascending.

Cosines without shrink never exist but for the largest: the product is cut into blocks of columns, so that the sums of a
row stay in the processor's first cache, and the blocks into groups, each as many as all before it: what a row has found
in those is the least that later ones are asked for (four times faster for users). The others need every pair of rows
that meet, a block of rows at a time.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Literal

import numpy as np
import scipy.sparse as sp
from sklearn.utils.sparsefuncs_fast import inplace_csr_row_normalize_l2
from sparse_dot_topn import sp_matmul, zip_sp_matmul_topn

from recsys.ranking.topk import Find, largest, product_topn

SPARE = 24  # neighbours asked for beyond those needed, so that a tie at the last place is mostly seen whole
WHOLE = 200_000  # so many columns are not cut: what a block saves, its overhead costs
COLUMNS = 8_192  # a block: 64 kB of sums and links
FIRST = 4  # blocks of the first group
PAIRS = 20_000_000  # pairs of rows that are held at once

Similarity = Literal["cosine", "jaccard"]


def nearest(
    rows: sp.csr_matrix, k: int, itself: bool, threads: int = 1, similarity: Similarity = "cosine", shrink: float = 0.0
) -> sp.csr_matrix:
    """Row i holds the similarities of the k rows nearest to row i, zeros never: (n_rows, n_rows) float32, indices sorted.

    Args:
        itself: whether a row counts as one of its own k neighbours (it does in Elliot) or is left out.
    """
    own = None if itself else np.arange(rows.shape[0])
    asked = k + (not itself) + SPARE
    finds = _ratios(rows, threads, similarity, shrink) if similarity != "cosine" or shrink else _cosines(rows, threads)
    return _matrix(*largest(finds, rows.shape[0], k, asked, own))


def _cosines(rows: sp.csr_matrix, threads: int) -> list[Find]:
    unit = sp.csr_matrix((np.array(rows.data, np.float32), rows.indices, rows.indptr), shape=rows.shape)
    inplace_csr_row_normalize_l2(unit)
    return [_whole(unit, threads)] if unit.shape[0] <= WHOLE else _in_groups(unit, threads)


def _whole(unit: sp.csr_matrix, threads: int) -> Find:
    """Of all columns at once. Long rows stand first: the compiled code then meets the large cosines first, and replaces fewer."""
    order = np.argsort(-np.diff(unit.indptr), kind="stable").astype(np.int32)
    across = unit[order].T.tocsr()

    def find(part: np.ndarray, asked: int, above: float) -> sp.csr_matrix:
        left = unit if len(part) == unit.shape[0] else unit[part]
        found = product_topn(left, across, asked, above, threads)
        found.indices = order[found.indices]
        return found

    return find


def _in_groups(unit: sp.csr_matrix, threads: int) -> list[Find]:
    across = [unit[start : start + COLUMNS].T.tocsr() for start in range(0, unit.shape[0], COLUMNS)]

    def among(blocks: list[sp.csr_matrix]) -> Find:
        def find(part: np.ndarray, asked: int, above: float) -> sp.csr_matrix:
            left = unit[part]
            tops = [product_topn(left, block, asked, above, threads) for block in blocks]
            return zip_sp_matmul_topn(asked, tops)

        return find

    bounds = [0, FIRST]
    while bounds[-1] < len(across):
        bounds.append(2 * bounds[-1])
    return [among(across[start:end]) for start, end in pairwise(bounds)]


def _ratios(rows: sp.csr_matrix, threads: int, similarity: Similarity, shrink: float) -> list[Find]:
    pattern = rows.astype(np.float32)
    if similarity == "jaccard":
        pattern.data[:] = 1
    across = pattern.T.tocsr()
    size = np.asarray(pattern.multiply(pattern).sum(1), dtype=np.float64).ravel()
    meetings = pattern.astype(bool).astype(np.int64) @ np.diff(
        across.indptr
    )  # pairs of rows that a row can meet, at most
    each = sp.identity(rows.shape[0], dtype=np.float32, format="csr")
    ratio = _jaccard if similarity == "jaccard" else _cosine

    def find(part: np.ndarray, asked: int, above: float) -> sp.csr_matrix:
        tops = []
        for piece in np.split(part, np.flatnonzero(np.diff(np.cumsum(meetings[part]) // PAIRS)) + 1):
            met = sp_matmul(pattern[piece], across, n_threads=threads)
            owner = np.repeat(piece, np.diff(met.indptr))
            met.data = ratio(met.data, size[owner], size[met.indices], shrink).astype(np.float32)
            tops.append(product_topn(met, each, asked, above, threads))
        return sp.vstack(tops).tocsr()

    return [find]


Ratio = Callable[[np.ndarray, np.ndarray, np.ndarray, float], np.ndarray]


def _cosine(both: np.ndarray, left: np.ndarray, right: np.ndarray, shrink: float) -> np.ndarray:
    return both / (np.sqrt(left * right) + shrink)


def _jaccard(both: np.ndarray, left: np.ndarray, right: np.ndarray, shrink: float) -> np.ndarray:
    return both / (left + right - both + shrink)


def _matrix(columns: np.ndarray, values: np.ndarray) -> sp.csr_matrix:
    """Lists of columns, NONE for none, as a square matrix with sorted indices."""
    there = columns >= 0
    bounds = np.concatenate([[0], np.cumsum(there.sum(1))])
    n_rows = len(columns)
    matrix = sp.csr_matrix((values[there], columns[there], bounds.astype(np.int32)), shape=(n_rows, n_rows))
    matrix.sort_indices()
    return matrix
