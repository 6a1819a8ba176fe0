"""Principal components of rows that do not fit in memory at once."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from pipeline.core.errors import UserError

VARIANCE_SHARE = 0.95

Blocks = Callable[[], Iterator[np.ndarray]]  # yields the same arrays at each call


@dataclass(frozen=True)
class Components:
    """Principal components; they project a row r to (r − mean) · weights."""

    mean: np.ndarray  # (dim,) float64
    weights: np.ndarray  # (dim, n_components) float64

    def project(self, rows: np.ndarray) -> np.ndarray:
        """Project rows (n, dim) to (n, n_components), float32."""
        return ((rows.astype(np.float64) - self.mean) @ self.weights).astype(np.float32)


def fit_components(rows: Blocks, share: float, key: str) -> Components:
    """Find the fewest principal components that keep a share of the variance.

    A component's largest weight is positive, so that its sign depends on the data alone. scikit-learn is not used,
    because it needs all rows at once, in float64: 20 GB at 100,000 items of 24,576 dimensions.

    Args:
        rows: yields arrays (n_block, dim).
        share: of the variance, between 0 and 1.
        key: the parameter that turns the projection on, for the message.

    Raises:
        UserError: fewer than two rows.
    """
    mean, covariance = compute_moments(rows, key)
    variances, vectors = np.linalg.eigh(covariance)  # ascending; a component is a column
    variances = variances[::-1].clip(0)
    n = int(np.searchsorted(variances.cumsum() / variances.sum(), share)) + 1 if variances.any() else 1
    weights = vectors[:, ::-1][:, :n]  # (dim, n)
    return Components(mean, weights * np.sign(weights[np.abs(weights).argmax(axis=0), np.arange(n)]))


def project_blocks(rows: Blocks, share: float, key: str) -> Iterator[np.ndarray]:
    """Project blocks on their own components: (n, dim) to (n, n_components), float32; see `fit_components`."""
    yield from map(fit_components(rows, share, key).project, rows())


def compute_moments(rows: Blocks, key: str) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean (dim,) and covariance (dim, dim) of all rows in float64, in two passes: first the mean."""
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
