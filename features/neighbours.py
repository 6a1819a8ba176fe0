"""The rows of a feature set that are most alike, found block by block: memory does not grow with the pairs."""

import numpy as np

from features.files import Rows

BLOCK_VALUES = 16_000_000  # of float64 held at once by each of three arrays
DIGITS = 12  # of a similarity: rounding alone never breaks a tie


def find_nearest(queries: Rows, rows: Rows, k: int) -> np.ndarray:
    """Find the k rows most similar to each query: cosine of features standardised over `rows`, ties by their order.

    Columns that are the same in all rows count for nothing, whatever a query has there.

    Args:
        queries: (n_queries, dim).
        rows: (n, dim), n at least 1.
        k: how many; all rows where there are fewer.

    Returns:
        Positions in `rows`, the most similar first: (n_queries, min(k, n)) int64.
    """
    k = min(k, len(rows))
    mean, factor = standardise(rows)
    step = max(1, min(1_024, BLOCK_VALUES // rows.shape[1]))
    found = []
    for start in range(0, len(queries), step):
        query = _scale(queries, start, step, mean, factor)
        found.append(_search(query, rows, k, mean, factor))
    return np.concatenate(found) if found else np.empty((0, k), dtype=np.int64)


def standardise(rows: Rows) -> tuple[np.ndarray, np.ndarray]:
    """Compute what standardises columns: subtract the mean, multiply by the factor (0 for a constant column).

    Returns:
        mean and factor, (dim,) float64.
    """
    total = np.zeros(rows.shape[1])
    for _, block in rows.blocks():
        total += block.sum(axis=0, dtype=np.float64)
    mean = total / len(rows)
    squares = np.zeros(rows.shape[1])
    for _, block in rows.blocks():
        squares += ((block.astype(np.float64) - mean) ** 2).sum(axis=0)
    deviation = np.sqrt(squares / len(rows))
    constant = deviation <= 1e-10 * np.maximum(np.abs(mean), 1e-10)  # what is left is rounding
    return mean, np.where(constant, 0, 1 / np.where(constant, 1, deviation))


def _search(query: np.ndarray, rows: Rows, k: int, mean: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Find the k rows most similar to each query of a block: (n_queries, k)."""
    step = max(k, BLOCK_VALUES // max(rows.shape[1], len(query)))
    best = np.empty((len(query), 0), dtype=np.int64), np.empty((len(query), 0))
    for start in range(0, len(rows), step):
        block = _scale(rows, start, step, mean, factor)
        similar = np.round(query @ block.T, DIGITS)
        position = np.broadcast_to(np.arange(start, start + len(block)), similar.shape)
        best = _keep_largest(np.hstack([best[0], position]), np.hstack([best[1], similar]), k)
    return best[0]


def _scale(rows: Rows, start: int, step: int, mean: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Read some rows, standardised, each of length 1 (or 0): (n_block, dim) float64."""
    block = (rows.take(np.arange(start, min(start + step, len(rows)))) - mean) * factor
    length = np.linalg.norm(block, axis=1, keepdims=True)
    return block / np.where(length > 0, length, 1)


def _keep_largest(position: np.ndarray, value: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Keep the k largest values of each row and their positions, largest first, on ties the lower column."""
    k = min(k, value.shape[1])
    least = np.partition(value, -k, axis=1)[:, -k]
    row, column = np.nonzero(value >= least[:, None])
    order = np.lexsort((column, -value[row, column], row))
    first = np.searchsorted(row, np.arange(len(value)))
    chosen = order[first[:, None] + np.arange(k)]
    return position[row[chosen], column[chosen]], value[row[chosen], column[chosen]]
