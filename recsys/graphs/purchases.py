"""The graph of users and the items they bought, its normalisation, and the parts of it that an epoch learns on."""

import numpy as np
import scipy.sparse as sp
import torch

from recsys.graphs.products import Sparse

TINY = 1e-7  # added to every degree, as MMRec does
EDGES = 7  # the stream of the draw of edges


class Purchases:
    """The normalised graph of purchases: D^-½ A D^-½, A with an edge between a user and each item bought.

    Only the block of A from items to users is kept; that from users to items is its transpose.

    Args:
        bought: (n_users, n_items), an entry for each edge.
        device: where it is used.
        added: to every degree.
    """

    def __init__(self, bought: sp.csr_matrix, device: str, added: float = TINY) -> None:
        self.block = Sparse(normalise(bought, added), device)

    def multiply(self, users: torch.Tensor, items: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the product of the graph with both tables."""
        return self.block.multiply(items), self.block.multiply_transposed(users)

    def average_layers(
        self, users: torch.Tensor, items: torch.Tensor, layers: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean of both tables and of what 1 … `layers` products with the graph make of them.

        Args:
            users: (n_users, width).
            items: (n_items, width).
            layers: how many products; 0: the tables themselves.
        """
        all_users, all_items = [users], [items]
        for _ in range(layers):
            users, items = self.multiply(users, items)
            all_users.append(users)
            all_items.append(items)
        return sum_all(all_users) / (layers + 1), sum_all(all_items) / (layers + 1)


class Averages(Purchases):
    """D⁻¹ (A + 1): a user becomes the mean of itself and the items bought, an item that of itself and its buyers.

    Its `block` is A itself.

    Args:
        bought: (n_users, n_items), an entry for each edge.
        device: where it is used.
    """

    def __init__(self, bought: sp.csr_matrix, device: str) -> None:
        ones = sp.csr_matrix((np.ones(bought.nnz), bought.indices, bought.indptr), shape=bought.shape)
        self.block = Sparse(ones, device)
        counts = np.diff(bought.indptr), np.bincount(bought.indices, minlength=bought.shape[1])
        self.sizes = [torch.from_numpy(count + 1).float()[:, None].to(device) for count in counts]

    def multiply(self, users: torch.Tensor, items: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the product of the graph with both tables."""
        of_users, of_items = super().multiply(users, items)
        return (users + of_users) / self.sizes[0], (items + of_items) / self.sizes[1]


def sum_all(tables: list[torch.Tensor]) -> torch.Tensor:
    """Add tables of one shape up."""
    return torch.stack(tables).sum(0) if len(tables) > 1 else tables[0]


def normalise(bought: sp.csr_matrix, added: float = TINY) -> sp.csr_matrix:
    """Return D^-½ A D^-½ from users to items: 1 / √(d_u d_i) at each purchase, (n_users, n_items) float64.

    >>> normalise(sp.csr_matrix([[1.0, 1.0], [0.0, 1.0]]), 0.0).toarray().round(3).tolist()
    [[0.707, 0.5], [0.0, 0.707]]

    Args:
        bought: (n_users, n_items); the value of an entry counts for nothing.
        added: to every degree.
    """
    of_users, of_items = np.diff(bought.indptr) + added, np.bincount(bought.indices, minlength=bought.shape[1]) + added
    owner = np.repeat(np.arange(bought.shape[0]), np.diff(bought.indptr))
    values = 1 / np.sqrt(of_users[owner] * of_items[bought.indices])
    return sp.csr_matrix((values, bought.indices, bought.indptr), shape=bought.shape)


def draw_edges(bought: sp.csr_matrix, share: float, seed: int, epoch: int) -> sp.csr_matrix:
    """Draw ⌊share · n⌋ edges without replacement, those of popular users and items more rarely (Zhou and Shen 2023).

    The chance of an edge is proportional to 1 / √(d_u d_i). The edges of the largest ln(u) / weight are those of such a
    draw (Efraimidis and Spirakis 2006).

    Args:
        bought: (n_users, n_items).
        share: of the edges that are kept.
        seed: of the run.
        epoch: another draw for each.
    """
    weight = normalise(bought, 0.0).data
    random = np.random.default_rng((seed, epoch, EDGES))
    order = np.log1p(-random.random(bought.nnz)) / weight
    n_kept = int(share * bought.nnz)
    kept = np.zeros(bought.nnz, dtype=bool)
    kept[np.argsort(-order, kind="stable")[:n_kept]] = True
    return keep_edges(bought, kept)


def keep_edges(bought: sp.csr_matrix, kept: np.ndarray) -> sp.csr_matrix:
    """Return the edges that are kept, the users and items as they are.

    Args:
        bought: (n_users, n_items).
        kept: (nnz,) bool, in the order of the entries.
    """
    bounds = np.append(0, np.cumsum(kept))[bought.indptr]
    return sp.csr_matrix((bought.data[kept], bought.indices[kept], bounds), shape=bought.shape)
