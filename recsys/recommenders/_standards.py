"""Mean and spread of features over the items of a fit, and rows of length 1."""

import numpy as np

from features.files import Rows
from pipeline.core.errors import UserError, first_five


def find_standards(features: Rows, item_ids: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and scale that give each dimension mean 0 and variance 1 over the items, divided by √dim.

    A dimension that is constant but for rounding gets scale 0, and does not count among the √dim: one whose spread is
    below 1e-5 of the largest, or 1e-6 of its mean. Features are read a block at a time.

    >>> from features.files import all_rows
    >>> centre, scale = find_standards(all_rows(np.array([[1, 5], [3, 5]], dtype=np.float32)), ["a", "b"])
    >>> centre.tolist(), scale.tolist()
    ([2.0, 5.0], [1.0, 0.0])

    Args:
        features: (n_items, dim).
        item_ids: the id of each row, for messages.

    Returns:
        (dim,) float32 each.

    Raises:
        UserError: there is another number of features than of items, or a feature is not finite.
    """
    n, dim = features.shape
    if n != len(item_ids):
        raise UserError(
            f"{features.source}: {n:,} rows of features for {len(item_ids):,} items; a row for each item is needed"
        )
    total, squares, broken = np.zeros(dim), np.zeros(dim), []
    first = features.take(np.arange(1))[0] if n else np.zeros(dim, np.float32)  # near the mean: no digits are lost
    for part, block in features.blocks():
        broken += [item_ids[part.start + row] for row in np.flatnonzero(~np.isfinite(block).all(1))]
        block -= first
        total += block.sum(0, dtype=np.float64)
        squares += np.einsum("ij,ij->j", block, block, dtype=np.float64)
    if broken:
        raise UserError(
            f"{features.source}: {len(broken):,} of {n:,} items have features that are not finite, "
            f"first {first_five(broken)}; extract them again"
        )
    mean = total / max(1, n)
    spread = np.sqrt(np.maximum(squares / max(1, n) - mean**2, 0))
    rounding = np.maximum(1e-5 * spread.max(initial=0), 1e-6 * np.abs(first + mean))
    informative = spread > rounding
    scale = np.divide(1, spread, out=np.zeros(dim), where=informative) / np.sqrt(max(1, informative.sum()))
    return (first + mean).astype(np.float32), scale.astype(np.float32)


def scale_rows(rows: np.ndarray) -> np.ndarray:
    """Give each row length 1; a row of zeros stays.

    >>> scale_rows(np.array([[3, 4], [0, 0]], dtype=np.float32)).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
