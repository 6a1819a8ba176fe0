"""The k nearest rows of a sparse matrix by cosine or Jaccard, without rows × rows memory (sparse_dot_topn).

- cosine = a · b / (|a| |b| + shrink). Without shrink it is float32, computed as scikit-learn's `cosine_similarity` does
  (rows divided by their norm, then multiplied): exact values would break some ties of binary data in another way (about
  2 % of users).
- jaccard = |a ∩ b| / (|a ∪ b| + shrink) of the entries that are stored, whatever their value.

Ties: similarity descending, then index ascending.

Cosines without shrink are never stored but for the largest: the product is cut into blocks of columns, so that the sums
of a row stay in the processor's first cache, and the blocks into groups, each as many as all before it: the least of
the k entries found so far is the bound for later groups (four times faster for users). The other similarities need
every pair of rows with a common column, a block of rows at a time.

Where only some rows may be neighbours (`among`), or only those of some rows are wanted (`of`), the cost shrinks by both
shares: what is left out is not multiplied.
"""

from itertools import pairwise
from typing import Annotated, Literal

import numpy as np
import scipy.sparse as sp
from pydantic import Field
from sklearn.utils.sparsefuncs_fast import inplace_csr_row_normalize_l2
from sparse_dot_topn import sp_matmul, zip_sp_matmul_topn

from pipeline.core.params import Section
from recsys.ranking.ranges import FindRange, Sharing, find_in_ranges
from recsys.ranking.settings import Count
from recsys.ranking.topk import NONE, Find, Lists, find_largest, fits_32_bits, multiply_topn, with_32_bits

SPARE = 24  # neighbours requested beyond those needed, so that a tie at the last rank is mostly seen whole
WHOLE = 200_000  # so many columns are not cut: a block would cost more than it saves
COLUMNS = 8_192  # of a block, at least: 64 kB of sums and links
POINTER_BYTES = 512 << 20  # of all blocks together, at most: each has a pointer for every column of the rows
FIRST = 4  # blocks of the first group
PAIRS = 20_000_000  # pairs of rows in memory at once
ROWS = 8_192  # of a file, where nodes share the rows
ROWS_IN_GROUPS = 65_536  # the same where columns come in groups: a long range bounds later groups better

Similarity = Literal["cosine", "jaccard"]


class NeighbourSettings(Section):
    """The keys of userknn and itemknn."""

    k: Count
    neighbourhood: Literal["elliot", "standard"]
    similarity: Similarity
    shrink: Annotated[float, Field(ge=0)]


def find_nearest(
    rows: sp.csr_matrix,
    k: int,
    itself: bool,
    threads: int = 1,
    similarity: Similarity = "cosine",
    shrink: float = 0.0,
    sharing: Sharing | None = None,
    of: np.ndarray | None = None,
    among: np.ndarray | None = None,
) -> sp.csr_matrix:
    """Find the k rows nearest to each row.

    >>> rows = sp.csr_matrix(np.array([[1, 1, 0], [1, 1, 0], [0, 1, 1]], dtype=np.float32))
    >>> find_nearest(rows, k=1, itself=False).toarray().round(2).tolist()
    [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.5, 0.0, 0.0]]

    Args:
        rows: (n_rows, n_columns).
        k: how many neighbours.
        itself: whether a row counts as one of its own k neighbours (it does in Elliot) or is left out.
        threads: CPU threads.
        similarity: cosine or jaccard.
        shrink: added to the divider of a similarity.
        sharing: how the nodes of a cluster share the rows; None: this process alone.
        of: the rows whose neighbours are found, ascending; None: all.
        among: the rows that may be neighbours, ascending, at least one; None: all.

    Returns:
        Row i holds the similarities of the neighbours of of[i], never a zero: (n_of, n_among) float32,
        indices sorted.
    """
    arguments = (k, itself, threads, similarity, shrink)
    n_among = rows.shape[0] if among is None else len(among)
    size = ROWS if n_among <= WHOLE else ROWS_IN_GROUPS
    if of is None and among is None:
        lists = find_in_ranges("neighbours", open_nearest, {"rows": rows}, arguments, size, sharing)
    else:
        everything = np.arange(rows.shape[0])
        of, among = (everything if chosen is None else chosen for chosen in (of, among))
        tables = {"of": of, "among": among, "rows": rows}
        lists = find_in_ranges("neighbours", open_nearest_among, tables, arguments, size, sharing)
    return _matrix(*lists, n_among)


def open_nearest_among(
    of: np.ndarray,
    among: np.ndarray,
    rows: sp.csr_matrix,
    k: int,
    itself: bool,
    threads: int,
    similarity: Similarity,
    shrink: float,
) -> FindRange:
    """Prepare the rows where some are chosen; arguments as in `find_nearest`."""
    return open_nearest(rows, k, itself, threads, similarity, shrink, of, among)


def open_nearest(
    rows: sp.csr_matrix,
    k: int,
    itself: bool,
    threads: int,
    similarity: Similarity,
    shrink: float,
    of: np.ndarray | None = None,
    among: np.ndarray | None = None,
) -> FindRange:
    """Prepare the rows, and return what finds the k nearest of some of them; arguments as in `find_nearest`."""
    n = k + (not itself) + SPARE
    if similarity != "cosine" or shrink:
        finds = _ratios(rows, among, threads, similarity, shrink)
    else:
        finds = _cosines(rows, among, threads)

    def find(start: int, stop: int) -> Lists:
        asked = np.arange(start, stop) if of is None else of[start:stop]
        own = None if itself else asked if among is None else _find_positions(asked, among)
        return find_largest([_number(group, asked) for group in finds], len(asked), k, n, own)

    return find


def _number(find: Find, asked: np.ndarray) -> Find:
    """Let a row stand for the one of the same place in `asked`."""
    return lambda part, n, above: find(asked[part], n, above)


def _find_positions(asked: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return the place of each row in `among`, NONE for those that are not there."""
    places = np.minimum(np.searchsorted(among, asked), len(among) - 1)
    return np.where(among[places] == asked, places, NONE)


def _cosines(rows: sp.csr_matrix, among: np.ndarray | None, threads: int) -> list[Find]:
    unit = sp.csr_matrix((np.array(rows.data, np.float32), rows.indices, rows.indptr), shape=rows.shape)
    inplace_csr_row_normalize_l2(unit)
    others = unit if among is None else unit[among]
    whole = others.shape[0] <= WHOLE and fits_32_bits(unit.nnz)
    return [_whole(unit, others, threads)] if whole else _in_groups(unit, others, threads)


def _whole(unit: sp.csr_matrix, others: sp.csr_matrix, threads: int) -> Find:
    """Multiply with all columns at once.

    Long rows come first: the compiled code then computes the large cosines first, and replaces fewer.
    """
    order = np.argsort(-np.diff(others.indptr), kind="stable").astype(np.int32)
    across = others[order].T.tocsr()

    def find(part: np.ndarray, n: int, above: float) -> sp.csr_matrix:
        left = unit if len(part) == unit.shape[0] else unit[part]
        top = multiply_topn(left, across, n, above, threads)
        top.indices = order[top.indices]
        return top

    return find


def _in_groups(unit: sp.csr_matrix, others: sp.csr_matrix, threads: int) -> list[Find]:
    width = _block_width(*others.shape)
    across = [others[start : start + width].T.tocsr() for start in range(0, others.shape[0], width)]

    def find_in(blocks: list[sp.csr_matrix]) -> Find:
        def find(part: np.ndarray, n: int, above: float) -> sp.csr_matrix:
            left = unit[part]
            tops = [multiply_topn(left, block, n, above, threads) for block in blocks]
            return zip_sp_matmul_topn(n, tops)

        return find

    bounds = [0, FIRST]
    while bounds[-1] < len(across):
        bounds.append(2 * bounds[-1])
    return [find_in(across[start:end]) for start, end in pairwise(bounds)]


def _block_width(n_rows: int, n_columns: int) -> int:
    """Return the width of blocks: wider where there are so many rows and columns that pointers would fill the memory.

    A block of `width` rows, transposed, has a pointer of 4 bytes for every column, and there are n_rows / width blocks:
    70 MB at 1.36 million users × 105,000 items, but 4.9 GB at 10 million × 1 million.
    """
    return max(COLUMNS, -(-4 * n_rows * n_columns // POINTER_BYTES))


def _ratios(
    rows: sp.csr_matrix, among: np.ndarray | None, threads: int, similarity: Similarity, shrink: float
) -> list[Find]:
    pattern = rows.astype(np.float32)
    if similarity == "jaccard":
        pattern.data[:] = 1
    across = (pattern if among is None else pattern[among]).T.tocsr()
    size = np.asarray(pattern.multiply(pattern).sum(1), dtype=np.float64).ravel()
    others = size if among is None else size[among]
    n_pairs = pattern.astype(bool).astype(np.int64) @ np.diff(across.indptr)  # of each row with others, at most
    each = sp.identity(len(others), dtype=np.float32, format="csr")
    ratio = _jaccard if similarity == "jaccard" else _cosine

    def find(part: np.ndarray, n: int, above: float) -> sp.csr_matrix:
        tops = []
        for piece in np.split(part, np.flatnonzero(np.diff(np.cumsum(n_pairs[part]) // PAIRS)) + 1):
            pairs = sp_matmul(with_32_bits(pattern[piece]), with_32_bits(across), n_threads=threads)
            owner = np.repeat(piece, np.diff(pairs.indptr))
            pairs.data = ratio(pairs.data, size[owner], others[pairs.indices], shrink).astype(np.float32)
            tops.append(multiply_topn(pairs, each, n, above, threads))
        return sp.vstack(tops).tocsr()

    return [find]


def _cosine(both: np.ndarray, left: np.ndarray, right: np.ndarray, shrink: float) -> np.ndarray:
    return both / (np.sqrt(left * right) + shrink)


def _jaccard(both: np.ndarray, left: np.ndarray, right: np.ndarray, shrink: float) -> np.ndarray:
    return both / (left + right - both + shrink)


def _matrix(columns: np.ndarray, values: np.ndarray, n_columns: int) -> sp.csr_matrix:
    """Return lists of columns, NONE for none, as a matrix with sorted indices."""
    filled = columns >= 0
    bounds = np.concatenate([[0], np.cumsum(filled.sum(1, dtype=np.int64))])
    if fits_32_bits(bounds[-1]):  # else of 64 bits, like the indices that scipy makes of it
        bounds = bounds.astype(np.int32)
    matrix = sp.csr_matrix((values[filled], columns[filled], bounds), shape=(len(columns), n_columns))
    matrix.sort_indices()
    return matrix
