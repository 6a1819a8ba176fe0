"""Features of items without a description, from the items bought by the same users.

The fillers of Malitesta et al. (CIKM 2024; heat: arXiv 2602.17354): the neighbours' mean, feature propagation (Rossi et
al., LoG 2022), personalised PageRank and heat. Two definitions:

- `published`: as their program computes it. What is missing counts as zeros in every sum, an item is among its own
  neighbours, and items that nobody bought together fill up the neighbours;
- `corrected`: a filled row is the weighted mean of the known rows that reach it: the sum is divided by the same sum of
  ones at the known items and zeros at the missing ones. So no row shrinks by what is missing. An item that no known
  item reaches gets the mean of all known items.
"""

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import expm_multiply

from pipeline.core.errors import UserError
from recsys.imputation.settings import Warm

MOST_ITEMS = 10_000  # of a matrix that is inverted, or whose exponential is taken: 0.8 GB in float64
BLOCK_ITEMS = 512
DIGITS = 12  # that count where values are compared: rounding alone never breaks a tie
NOTHING = 10.0**-DIGITS


def fill_missing(
    name: str, features: np.ndarray, known: np.ndarray, near: sp.csr_matrix, settings: Warm
) -> tuple[np.ndarray, int]:
    """Fill the rows of items without a description.

    Args:
        name: neighbours, propagation, pagerank or heat.
        features: (n_items, dim); rows of missing items are not read.
        known: which items have a description, (n_items,) bool.
        near: 1 at the items bought together, of `find_bought_together`.
        settings: section `rec_impute.warm`.

    Returns:
        The rows of the missing items, in their order, (n_missing, dim) float64; how many of them no known item reaches.

    Raises:
        UserError: no item has a description, or there are too many items for this filler.
    """
    if not known.any():
        raise UserError("rec_impute.warm: no item has a description; set warm_imputations: [] in params.yaml")
    values = np.where(known[:, None], features, 0).astype(np.float64)
    if settings.definition == "corrected":
        values = np.column_stack([values, known])
    operator = _OPERATORS[name](near, settings)
    start = values[known]
    for _ in range(1 if name == "neighbours" else settings.layers):
        values = operator @ values
        values[known] = start
    filled = values[~known]
    if settings.definition == "published":
        return filled, int((~filled.any(axis=1)).sum())
    share = filled[:, -1]
    reached = share > NOTHING
    mean = start[:, :-1].mean(axis=0)
    rows = np.where(reached[:, None], filled[:, :-1] / np.where(reached, share, 1)[:, None], mean)
    return rows, int((~reached).sum())


def average_neighbours(near: sp.csr_matrix, settings: Warm) -> sp.csr_matrix:
    """Return the operator that averages k neighbours: A / k."""
    return near / settings.neighbours


def propagate(near: sp.csr_matrix, settings: Warm) -> sp.csr_matrix:
    """Return the operator of feature propagation: D^-½ A D^-½, A without the item itself, D its row sums."""
    others = near - sp.diags(near.diagonal())
    degree = np.asarray(others.sum(axis=1)).ravel()
    factor = sp.diags(np.where(degree > 0, 1 / np.sqrt(np.where(degree > 0, degree, 1)), 0))
    return (factor @ others @ factor).tocsr()


def rank_pages(near: sp.csr_matrix, settings: Warm) -> sp.csr_matrix:
    """Return the operator of personalised PageRank: the k largest of each column of α (1 − (1 − α) H)⁻¹."""
    _refuse_many("pagerank", near.shape[0])
    walk = _walk(near).toarray()
    spread = settings.restart * np.linalg.inv(np.eye(len(walk)) - (1 - settings.restart) * walk)
    return _keep_largest(spread, 0, settings.neighbours)


def spread_heat(near: sp.csr_matrix, settings: Warm) -> sp.csr_matrix:
    """Return the operator of heat: the k largest of each column of exp(−t (1 − H)), a block of columns at a time."""
    _refuse_many("heat", near.shape[0])
    n = near.shape[0]
    exponent = ((_walk(near) - sp.identity(n)) * settings.time).tocsr()
    parts = []
    for start in range(0, n, BLOCK_ITEMS):
        columns = np.arange(start, min(start + BLOCK_ITEMS, n))
        sources = np.zeros((n, len(columns)))
        sources[columns, columns - start] = 1
        parts.append(_keep_largest(expm_multiply(exponent, sources), start, settings.neighbours))
    return sum(parts[1:], parts[0])


_OPERATORS: dict[str, Callable[[sp.csr_matrix, Warm], sp.csr_matrix]] = {
    "neighbours": average_neighbours,
    "propagation": propagate,
    "pagerank": rank_pages,
    "heat": spread_heat,
}


def _walk(near: sp.csr_matrix) -> sp.csr_matrix:
    """Return H, a step of a walk that may stay where it is: (A + 1), each row divided by its sum."""
    steps = near + sp.identity(near.shape[0])
    return (sp.diags(1 / np.asarray(steps.sum(axis=1)).ravel()) @ steps).tocsr()


def _keep_largest(columns: np.ndarray, first: int, k: int) -> sp.csr_matrix:
    """Keep the k largest of each column, divided by their sum; ties by the order of the rows.

    Args:
        columns: (n, n_block) of a matrix (n, n).
        first: the number of the block's first column.
        k: how many.
    """
    n, width = columns.shape
    columns = np.where(columns > NOTHING, columns, 0)
    row = np.argsort(-columns.round(DIGITS), axis=0, kind="stable")[: min(k, n)]
    value = np.take_along_axis(columns, row, axis=0)
    value /= value.sum(axis=0)
    column = np.broadcast_to(first + np.arange(width), row.shape)
    kept = sp.csr_matrix((value.ravel(), (row.ravel(), column.ravel())), shape=(n, n))
    kept.eliminate_zeros()
    return kept


def _refuse_many(name: str, n: int) -> None:
    if n > MOST_ITEMS:
        raise UserError(
            f"warm_imputations: {name} needs a matrix of all pairs of {n:,} items, and {MOST_ITEMS:,} are "
            "the most; take `neighbours` or `propagation`"
        )
