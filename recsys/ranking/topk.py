"""The k largest entries of each row, ties to the lower column, from what compiled code keeps of a sparse product.

sparse_dot_topn keeps the n largest entries of each row of a product without ever holding the product; which of several
equal ones it keeps is arbitrary. So a few more are asked for than needed. Where even so an entry that was left out may
equal the last one chosen, the row is asked again for more: the result is a function of the data alone.
"""

from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse as sp
from sparse_dot_topn import sp_matmul_topn

NONE = -1  # in the place of a column where a row has fewer than k
MORE = 4  # times as many are asked for again
CELLS = 1 << 20  # entries kept at once: 8 MB of keys
SMALL = 50_000_000  # rows × columns of a product that a second thread would only wait for

Lists = tuple[np.ndarray, np.ndarray]  # columns (n_rows, k) int32, values (n_rows, k) float32; NONE and −inf for none
Find = Callable[[np.ndarray, int, float], sp.csr_matrix]  # rows, how many, above what -> the largest of each row


def largest(finds: Sequence[Find], n_rows: int, k: int, asked: int, without: np.ndarray | None = None) -> Lists:
    """The k largest entries of each row, all above 0, largest first and on ties the lower column.

    The columns come in groups, from left to right. Once a row has k entries, only larger ones of later groups matter:
    compiled code is told so, which saves it most of its work. Rows that need about as much are asked together.

    Args:
        finds: of each group of columns the `asked` largest entries of these rows, all above a value: (n_part, n_group).
        asked: how many to look at first.
        without: (n_rows,) a column of each row that is not taken.
    """
    columns, values = np.full((n_rows, k), NONE, np.int32), np.full((n_rows, k), -np.inf, np.float32)
    first = 0
    for find in finds:
        needed = np.maximum(values[:, -1], np.float32(0))
        open_ = [(np.sort(rows), asked) for rows in _parts(np.argsort(needed, kind="stable"), asked)]
        while open_:
            rows, n = open_.pop()
            group = find(rows, n, float(needed[rows].min()))
            keys, least = _keys(group, n, first, None if without is None else without[rows])
            if first:
                known = np.where(columns[rows] >= 0, packed(values[rows], columns[rows]), np.uint64(0))
                keys = np.concatenate([known, keys], axis=1)
            best = unpacked(highest(keys, k))
            cut = (least > needed[rows]) & (least >= best[1][:, -1])  # it may have lost one to a tie
            columns[rows[~cut]], values[rows[~cut]] = best[0][~cut], best[1][~cut]
            if cut.any():  # no smaller ones need be asked for, now
                needed[rows[cut]] = np.maximum(needed[rows[cut]], np.nextafter(best[1][cut, -1], np.float32(-np.inf)))
                open_ += [(part, n * MORE) for part in _parts(rows[cut], n * MORE)]
        first += group.shape[1]
    return columns, values


def product_topn(left: sp.csr_matrix, right: sp.csr_matrix, n: int, above: float, threads: int) -> sp.csr_matrix:
    """The n largest entries above a value of each row of left × right, in no order."""
    small = left.shape[0] * right.shape[1] < SMALL
    return sp_matmul_topn(left, right, n, threshold=above, n_threads=1 if small else threads)


def packed(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """uint64 keys that sort by value, then by the lower column. Never 0 for a value of 0 or more.

    The bits of a float sort as an integer does once negative numbers are inverted and positive ones get the top bit.
    """
    bits = (values + np.float32(0)).view(np.int32)  # + 0 turns −0 into 0
    ordered = (bits ^ (bits >> 31 | np.int32(-0x80000000))).view(np.uint32)
    return (ordered.astype(np.uint64) << np.uint64(32)) | ~columns.astype(np.uint32)


def unpacked(keys: np.ndarray) -> Lists:
    """Columns and values of keys; a key of 0 is none."""
    bits = (keys >> np.uint64(32)).astype(np.uint32)
    values = np.where(bits >> 31, bits & np.uint32(0x7FFFFFFF), ~bits).astype(np.uint32).view(np.float32)
    columns = np.uint32(0xFFFFFFFF) - (keys & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    none = keys == 0
    return np.where(none, NONE, columns.view(np.int32)), np.where(none, np.float32(-np.inf), values)


def highest(keys: np.ndarray, k: int) -> np.ndarray:
    """The k highest of each row, in this order, 0 where there are fewer: (n_rows, k). Sorts the keys where they are."""
    keys.sort(axis=1)
    found = keys[:, : -k - 1 : -1]
    return np.pad(found, ((0, 0), (0, k - found.shape[1])))


def _parts(rows: np.ndarray, asked: int) -> list[np.ndarray]:
    step = max(1, CELLS // asked)
    return [rows[start : start + step] for start in range(0, len(rows), step)]


def _keys(group: sp.csr_matrix, asked: int, first: int, without: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Keys of the entries above 0, 0 for none: (n_rows, most found); the least of a row where some were left out, else 0.

    Args:
        first: the number of the group's first column, among all.
        without: (n_rows,) a column of each row, among all, that is not taken.
    """
    counts, n_found = np.diff(group.indptr), group.indptr[-1]
    values, columns = group.data[:n_found], group.indices[:n_found] + np.int32(first)
    taken = values > 0
    if without is not None:
        taken &= columns != np.repeat(without, counts)
    keys = np.zeros((len(counts), counts.max(initial=0)), dtype=np.uint64)
    keys[np.arange(keys.shape[1]) < counts[:, None]] = np.where(taken, packed(values, columns), np.uint64(0))
    least = np.zeros(len(counts), dtype=np.float32)
    cut = np.flatnonzero((counts == asked) & (asked < group.shape[1]))
    least[cut] = values[group.indptr[cut, None] + np.arange(asked)].min(axis=1, initial=np.inf)
    return keys, least
