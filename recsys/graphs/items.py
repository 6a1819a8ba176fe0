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
    return mixed.tocsr()
