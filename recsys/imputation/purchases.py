"""The items most often bought by the same users, found block by block: the counts of all pairs are never in memory."""

import numpy as np
import scipy.sparse as sp

BLOCK_ITEMS = 256


def find_bought_together(train: sp.csr_matrix, k: int, definition: str) -> sp.csr_matrix:
    """Find the k items that most users bought together with each item, ties by the order of the items.

    `published` counts an item as bought together with itself, and fills up with items that nobody bought together;
    `corrected` takes other items that somebody did.

    Args:
        train: who bought what, binary, (n_users, n_items).
        k: how many.
        definition: published or corrected.

    Returns:
        (n_items, n_items) float64, 1 at the items found.
    """
    binary = sp.csr_matrix(train, dtype=np.float64)
    by_item = binary.T.tocsr()
    n = binary.shape[1]
    blocks = [
        _find_in_block(by_item[start : start + BLOCK_ITEMS] @ binary, start, min(k, n), definition)
        for start in range(0, n, BLOCK_ITEMS)
    ]
    return sp.vstack(blocks, format="csr") if blocks else sp.csr_matrix((n, n))


def _find_in_block(counts: sp.csr_matrix, first: int, k: int, definition: str) -> sp.csr_matrix:
    """Find the k largest counts of each row of a block that begins at item `first`: 1 where they are."""
    counts = counts.tocoo()
    row, column, count = counts.row, counts.col, counts.data
    if definition == "corrected":
        other = column != row + first
        row, column, count = row[other], column[other], count[other]
    order = np.lexsort((column, -count, row))
    row, column = row[order], column[order]
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    row, column = row[rank < k], column[rank < k]
    if definition == "published":
        row, column = _fill_up(row, column, counts.shape[0], k)
    return sp.csr_matrix((np.ones(len(row)), (row, column)), shape=counts.shape)


def _fill_up(row: np.ndarray, column: np.ndarray, n_rows: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Add the first items that a row lacks until it has k."""
    rows, columns = [row], [column]
    bounds = np.searchsorted(row, np.arange(n_rows + 1))
    for number in np.flatnonzero(np.diff(bounds) < k):
        has = column[bounds[number] : bounds[number + 1]]
        lacking = np.setdiff1d(np.arange(k), has)[: k - len(has)]
        rows.append(np.full(len(lacking), number))
        columns.append(lacking)
    return np.concatenate(rows), np.concatenate(columns)
