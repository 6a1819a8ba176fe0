"""Principal components of rows that need not be in memory at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import UserError

KEPT_VARIANCE = 0.95

Blocks = Callable[[], Iterator[np.ndarray]]  # the same arrays, whenever it is called


@dataclass(frozen=True)
class Components:
    """A row r becomes (r − mean) · weights."""

    mean: np.ndarray  # (dim,) float64
    weights: np.ndarray  # (dim, n_components) float64

    def of(self, rows: np.ndarray) -> np.ndarray:
        """(n, dim) to (n, n_components), float32."""
        return ((rows.astype(np.float64) - self.mean) @ self.weights).astype(np.float32)


def components(rows: Blocks, share: float, key: str) -> Components:
    """The fewest principal components that keep this share of the variance.

    A component's largest weight is positive, so that its sign is a property of the data. Not by scikit-learn, which wants
    all rows at once, in float64: 20 GB at 100,000 items of 24,576 dimensions.

    Args:
        key: the parameter that asks for it, for the message.

    Raises:
        UserError: fewer than two rows.
    """
    mean, covariance = moments(rows, key)
    variances, vectors = np.linalg.eigh(covariance)  # ascending; a component is a column
    variances = variances[::-1].clip(0)
    n = int(np.searchsorted(variances.cumsum() / variances.sum(), share)) + 1 if variances.any() else 1
    weights = vectors[:, ::-1][:, :n]  # (dim, n)
    return Components(mean, weights * np.sign(weights[np.abs(weights).argmax(axis=0), np.arange(n)]))


def projected(rows: Blocks, share: float, key: str) -> Iterator[np.ndarray]:
    """Blocks on their own components: (n, dim) to (n, fewer), float32."""
    own = components(rows, share, key)
    yield from map(own.of, rows())


def moments(rows: Blocks, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Mean (dim,) and covariance (dim, dim) of all rows, in float64: the mean first, then what is left of it."""
    n, total = 0, np.float64(0)
    for block in rows():
        n, total = n + len(block), total + block.sum(axis=0, dtype=np.float64)
    if n < 2:
        raise UserError(f"{key}: pca95 needs at least two items, found {n}")
    mean = np.asarray(total / n)
    covariance = np.zeros((len(mean), len(mean)))
    for block in rows():
        centred = block.astype(np.float64) - mean
        covariance += centred.T @ centred
    return mean, covariance / (n - 1)
