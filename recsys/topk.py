"""The k largest entries of each row, ties to the lower column, from what compiled code keeps of a sparse product.

sparse_dot_topn keeps the n largest entries of each row of a product without ever holding the product; which of several
equal ones it keeps is arbitrary. So a few more are asked for than needed. Where even so an entry that was left out may
equal the last one chosen, the row is asked again for more: the result is a function of the data alone.
"""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

NONE = -1  # in the place of a column where a row has fewer than k
MORE = 8  # times as many are asked for again
CELLS = 4_000_000  # entries kept at once: 32 MB of keys

Lists = tuple[np.ndarray, np.ndarray]  # columns (n_rows, k) int32, values (n_rows, k) float32; NONE and −inf for none
Find = Callable[[np.ndarray, int], list[sp.csr_matrix]]  # rows, how many -> blocks of columns, each row's largest in it


def largest(find: Find, n_rows: int, k: int, asked: int, without: np.ndarray | None = None) -> Lists:
    """The k largest entries of each row, all above 0, largest first and on ties the lower column.

    Args:
        find: the `asked` largest entries of these rows, in one or more blocks of columns, from left to right.
        asked: how many of each block to look at first.
        without: (n_rows,) a column of each row that is not taken.
    """
    columns, values = np.full((n_rows, k), NONE, np.int32), np.full((n_rows, k), -np.inf, np.float32)
    open_ = [(rows, asked) for rows in _parts(np.arange(n_rows), asked)]
    while open_:
        rows, asked = open_.pop()
        keys, cut = _merged(find(rows, asked), k, asked, None if without is None else without[rows])
        columns[rows], values[rows] = unpacked(keys)
        if cut.any():
            open_ += [(part, asked * MORE) for part in _parts(rows[cut], asked * MORE)]
    return columns, values


def packed(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """uint64 keys that sort by value, then by the lower column. Never 0 for a value of 0 or more.

    The bits of a float sort as an integer does once negative numbers are inverted and positive ones get the top bit.
    """
    bits = (values + np.float32(0)).view(np.uint32)  # + 0 turns −0 into 0
    ordered = np.where(bits >> 31, ~bits, bits | np.uint32(0x80000000))
    return (ordered.astype(np.uint64) << np.uint64(32)) | (np.uint32(0xFFFFFFFF) - columns.astype(np.uint32))


def unpacked(keys: np.ndarray) -> Lists:
    """Columns and values of keys; a key of 0 is none."""
    bits = (keys >> np.uint64(32)).astype(np.uint32)
    values = np.where(bits >> 31, bits & np.uint32(0x7FFFFFFF), ~bits).astype(np.uint32).view(np.float32)
    columns = np.uint32(0xFFFFFFFF) - (keys & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    none = keys == 0
    return np.where(none, NONE, columns.view(np.int32)), np.where(none, np.float32(-np.inf), values)


def _parts(rows: np.ndarray, asked: int) -> list[np.ndarray]:
    step = max(1, CELLS // asked)
    return [rows[start : start + step] for start in range(0, len(rows), step)]


def _merged(
    blocks: list[sp.csr_matrix], k: int, asked: int, without: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Keys of the k largest, descending, 0 for none: (n_rows, k); and which rows may have lost one to a tie: (n_rows,)."""
    n_rows, first = blocks[0].shape[0], 0
    best = np.zeros((n_rows, k), dtype=np.uint64)
    at_most = np.zeros(n_rows, dtype=np.float32)  # no entry that a block left out is larger
    for block in blocks:
        keys, least = _keys(block, asked, first, without)
        at_most = np.maximum(at_most, least)
        both = np.concatenate([best, keys], axis=1)
        both.sort(axis=1)
        best = both[:, : -k - 1 : -1]
        first += block.shape[1]
    last = unpacked(best[:, -1])[1]
    return best, (at_most > 0) & (at_most >= last)


def _keys(block: sp.csr_matrix, asked: int, first: int, without: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Keys of the entries above 0, 0 for none: (n_rows, asked); the least entry of a row where some were left out, else 0."""
    counts = np.diff(block.indptr)
    there = np.arange(asked) < counts[:, None]
    values = np.zeros(there.shape, dtype=np.float32)
    values[there] = block.data[: block.indptr[-1]]
    columns = np.zeros(there.shape, dtype=np.uint32)
    columns[there] = block.indices[: block.indptr[-1]]
    columns += np.uint32(first)
    cut = (counts == asked) & (asked < block.shape[1])
    least = np.where(cut, values.min(axis=1, initial=np.inf), np.float32(0))
    taken = values > 0
    if without is not None:
        taken &= columns != without[:, None]
    return np.where(taken, packed(values, columns), np.uint64(0)), least
