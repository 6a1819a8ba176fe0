"""The k largest entries of each row, ties to the lower column, from a sparse product that is never held in memory.

sparse_dot_topn returns the n largest entries of each row of a product; which of several equal entries it returns is
arbitrary. So some more than needed are requested. Where an entry that was left out may still equal the last one taken,
the row is computed again with more: the result is a function of the data alone.
"""

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp
from sparse_dot_topn import sp_matmul_topn

from pipeline.core.errors import UserError

NONE = -1  # the column where a row has fewer than k
MORE = 4  # how many times as many entries the next try requests
CELLS = 1 << 20  # entries held at once: 8 MB of keys
LARGEST = 2**31 - 1  # sparse_dot_topn counts in 32 bits, and cuts a larger number without a word
BOUNDS = 16  # parts of the rows, at least, each with a bound of its own
SPARE = 12  # items requested beyond k, so that a tie at the last rank is mostly seen whole
SMALL = 50_000_000  # rows × columns of a product on which a second thread only waits

Lists = tuple[np.ndarray, np.ndarray]  # columns (n_rows, k) int32, values (n_rows, k) float32; NONE and −inf for none
Find = Callable[[np.ndarray, int, float], sp.csr_matrix]  # rows, how many, above what -> the largest of each row


def find_largest(finds: Sequence[Find], n_rows: int, k: int, n: int, without: np.ndarray | None = None) -> Lists:
    """Find the k largest entries of each row, all above 0, largest first and on ties the lower column.

    The columns come in groups, from left to right. Once a row has k entries, only larger ones of later groups matter:
    that bound goes to the compiled code, which then skips most of its work. Rows with similar bounds go together.

    >>> table = sp.csr_matrix(np.array([[1, 3, 3], [0, 2, 0]], dtype=np.float32))
    >>> columns, values = find_largest([lambda rows, n, above: table[rows]], n_rows=2, k=2, n=3)
    >>> columns.tolist(), values.tolist()
    ([[1, 2], [1, -1]], [[3.0, 3.0], [2.0, -inf]])

    Args:
        finds: for each group of columns a function that returns the n largest entries of some rows above a value, in
            any order: (n_part, n_group).
        n_rows: how many rows there are.
        k: how many entries to find in each row.
        n: how many entries the first try requests.
        without: (n_rows,) a column of each row that is not taken.
    """
    columns, values = np.full((n_rows, k), NONE, np.int32), np.full((n_rows, k), -np.inf, np.float32)
    first = 0
    for find in finds:
        needed = np.maximum(values[:, -1], np.float32(0))
        most = n_rows // BOUNDS if first else n_rows
        todo = [(np.sort(rows), n) for rows in _parts(np.argsort(needed, kind="stable"), n, most)]
        while todo:
            rows, size = todo.pop()
            group = find(rows, size, float(needed[rows].min()))
            keys, least = _keys(group, size, first, None if without is None else without[rows])
            if first:
                known = np.where(columns[rows] >= 0, pack(values[rows], columns[rows]), np.uint64(0))
                keys = np.concatenate([known, keys], axis=1)
            best = unpack(take_highest(keys, k))
            cut = (least > needed[rows]) & (least >= best[1][:, -1])  # an equal entry may have been left out
            columns[rows[~cut]], values[rows[~cut]] = best[0][~cut], best[1][~cut]
            if cut.any():  # the next try needs no smaller entries than these
                needed[rows[cut]] = np.maximum(needed[rows[cut]], np.nextafter(best[1][cut, -1], np.float32(-np.inf)))
                todo += [(part, size * MORE) for part in _parts(rows[cut], size * MORE, n_rows)]
        first += group.shape[1]
    return columns, values


def multiply_topn(left: sp.csr_matrix, right: sp.csr_matrix, n: int, above: float, threads: int) -> sp.csr_matrix:
    """Compute the n largest entries above a value of each row of left × right, in no order.

    Raises:
        UserError: a matrix is too large for 32 bits.
    """
    small = left.shape[0] * right.shape[1] < SMALL
    left, right = with_32_bits(left), with_32_bits(right)
    return sp_matmul_topn(left, right, n, threshold=above, n_threads=1 if small else threads)


def with_32_bits(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """Return the matrix with indices of 32 bits, which are all that the compiled code counts with.

    Raises:
        UserError: it has more entries, rows or columns than 32 bits can count.
    """
    if not fits_32_bits(matrix.nnz, *matrix.shape):
        raise UserError(
            f"a product of sparse matrices has one of {matrix.shape[0]:,} × {matrix.shape[1]:,} with {matrix.nnz:,} "
            f"entries, and at most {LARGEST:,} of each can be counted; lower rec_interactions.sampling, or leave out "
            "userknn and itemknn"
        )
    if matrix.indices.dtype == np.int32 == matrix.indptr.dtype:
        return matrix
    indices, indptr = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    return sp.csr_matrix((matrix.data, indices, indptr), shape=matrix.shape, copy=False)


def fits_32_bits(*counts: int) -> bool:
    """Check that the compiled code can count to these numbers."""
    return max(counts) <= LARGEST


def pack(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Pack values and columns into uint64 keys that sort by value, then by the lower column.

    The bits of a float sort as an integer does once negative numbers are inverted and positive ones get the top bit.
    A value of 0 or more never has the key 0, which stands for no entry.

    >>> keys = pack(np.array([2, 1, 2], dtype=np.float32), np.array([7, 5, 3], dtype=np.int32))
    >>> np.argsort(keys)[::-1].tolist()
    [2, 0, 1]
    """
    bits = (values + np.float32(0)).view(np.int32)  # + 0 turns −0 into 0
    ordered = (bits ^ (bits >> 31 | np.int32(-0x80000000))).view(np.uint32)
    return (ordered.astype(np.uint64) << np.uint64(32)) | ~columns.astype(np.uint32)


def unpack(keys: np.ndarray) -> Lists:
    """Return the columns and values of keys; a key of 0 becomes NONE and −inf."""
    bits = (keys >> np.uint64(32)).astype(np.uint32)
    values = np.where(bits >> 31, bits & np.uint32(0x7FFFFFFF), ~bits).astype(np.uint32).view(np.float32)
    columns = np.uint32(0xFFFFFFFF) - (keys & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    none = keys == 0
    return np.where(none, NONE, columns.view(np.int32)), np.where(none, np.float32(-np.inf), values)


def take_highest(keys: np.ndarray, k: int) -> np.ndarray:
    """Sort the keys in place, and return the k highest of each row: (n_rows, k), 0 where there are fewer."""
    keys.sort(axis=1)
    top = keys[:, : -k - 1 : -1]
    return np.pad(top, ((0, 0), (0, k - top.shape[1])))


def _parts(rows: np.ndarray, n: int, most: int) -> list[np.ndarray]:
    """Cut rows into parts of at most `most`, whose n entries a row can be held at once."""
    step = max(1, min(CELLS // n, most))
    return [rows[start : start + step] for start in range(0, len(rows), step)]


def _keys(group: sp.csr_matrix, n: int, first: int, without: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Pack the entries above 0 of a group, and find the least of each row that may have lost some.

    Args:
        group: (n_rows, n_group), at most n entries a row.
        n: how many entries were requested.
        first: the number of the group's first column, among all.
        without: (n_rows,) a column of each row, among all, that is not taken.

    Returns:
        Keys, 0 for none: (n_rows, most entries of a row). The least entry of a row that has n, else 0: (n_rows,).
    """
    counts, n_entries = np.diff(group.indptr), group.indptr[-1]
    values, columns = group.data[:n_entries], group.indices[:n_entries] + np.int32(first)
    taken = values > 0
    if without is not None:
        taken &= columns != np.repeat(without, counts)
    keys = np.zeros((len(counts), counts.max(initial=0)), dtype=np.uint64)
    keys[np.arange(keys.shape[1]) < counts[:, None]] = np.where(taken, pack(values, columns), np.uint64(0))
    least = np.zeros(len(counts), dtype=np.float32)
    cut = np.flatnonzero((counts == n) & (n < group.shape[1]))
    least[cut] = values[group.indptr[cut, None] + np.arange(n)].min(axis=1, initial=np.inf)
    return keys, least
