"""The graph of items that are alike, from the neighbours of each modality."""

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp

from recsys.graphs.neighbours import NONE, Neighbours


def average_neighbours(neighbours: Neighbours, n_items: int) -> sp.csr_matrix:
    """Return 1 / k at the k neighbours of each row, so that a row is the mean of its neighbours: (n, n_items).

    This is D^-½ S D^-½ of FREEDOM, whose rows all have k ones. A row without neighbours stays empty.
    """
    known = neighbours.items != NONE
    counts = known.sum(1)
    rows = np.repeat(np.arange(len(counts)), counts)
    values = np.repeat(1 / np.maximum(counts, 1), counts)
    return sp.csr_matrix((values, (rows, neighbours.items[known])), shape=(len(counts), n_items))


def weigh_neighbours(neighbours: Neighbours, degrees: np.ndarray | None = None) -> sp.csr_matrix:
    """Return D^-½ S D^-½, S the similarities to the neighbours and D the sums of its rows: (n, n_items) float64.

    A row whose similarities sum up to no more than 0 has no edges, since it has no root (MMRec's are NaN).

    Args:
        neighbours: of each row.
        degrees: the sums of the rows of the items, (n_items,), where the rows are not the items; None: they are.
    """
    own = sum_similarities(neighbours)
    of_items = own if degrees is None else degrees
    known = neighbours.items != NONE
    rows = np.repeat(np.arange(len(own)), known.sum(1))
    columns = neighbours.items[known]
    values = neighbours.similarities[known].astype(np.float64) * root(own)[rows] * root(of_items)[columns]
    return sp.csr_matrix((values, (rows, columns)), shape=(len(own), len(of_items)))


def sum_similarities(neighbours: Neighbours) -> np.ndarray:
    """Return the sum of the similarities to the neighbours of each row: (n,) float64."""
    return neighbours.similarities.sum(1, dtype=np.float64)


def root(degrees: np.ndarray) -> np.ndarray:
    """Return degrees^-½, and 0 where there is none: (n,)."""
    return np.divide(1, np.sqrt(np.maximum(degrees, 0)), out=np.zeros(len(degrees)), where=degrees > 0)


def mix_modalities(graphs: Sequence[sp.csr_matrix], weights: Sequence[float]) -> sp.csr_matrix:
    """Return the weighted mean of the modalities' graphs, row by row over the modalities that the item has.

    An item without a text so takes its whole row from the pictures; one without either has an empty row.

    >>> picture, text = sp.csr_matrix([[1.0, 0], [0, 1]]), sp.csr_matrix([[0, 1.0], [0, 0]])
    >>> mix_modalities([picture, text], [0.25, 0.75]).toarray().tolist()
    [[0.25, 0.75], [0.0, 1.0]]

    Args:
        graphs: (n, n_items) each; an empty row: the item lacks the modality.
        weights: of each modality, above 0.
    """
    known = np.array([np.diff(graph.indptr) > 0 for graph in graphs])
    total = np.asarray(weights, dtype=np.float64) @ known
    share = [
        np.where(own, weight / np.where(total > 0, total, 1), 0) for own, weight in zip(known, weights, strict=True)
    ]
    parts = [sp.diags(own) @ graph for own, graph in zip(share, graphs, strict=True)]
    mixed = parts[0]
    for part in parts[1:]:
        mixed = mixed + part
    mixed = mixed.tocsr()
    mixed.sort_indices()
    return mixed
