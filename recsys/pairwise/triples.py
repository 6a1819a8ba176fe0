"""Sampling of triples on the device that learns: uniform users, then uniform purchases; other items by rejection."""

import numpy as np
import scipy.sparse as sp
import torch

from pipeline.core.errors import UserError

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]  # users, bought, other: (size,) int64 each


class Triples:
    """The purchases of a matrix, to draw triples from. A user who has bought everything is never drawn.

    Args:
        train: (n_users, n_items) with sorted indices.
        device: where the triples are used.

    Raises:
        UserError: no user has bought some items and left others.
    """

    def __init__(self, train: sp.csr_matrix, device: str = "cpu") -> None:
        n_users, self.n_items = train.shape
        self.size = train.nnz
        counts = np.diff(train.indptr)
        able = np.flatnonzero((counts > 0) & (counts < self.n_items))
        if not len(able):
            raise UserError(
                "no user has bought some candidates and left others, so there is nothing to learn from pairs"
            )
        keys = np.repeat(np.arange(n_users, dtype=np.int64), counts) * self.n_items + train.indices
        self.device = device
        self.able, self.counts = torch.from_numpy(able).to(device), torch.from_numpy(counts).to(device)
        self.starts = torch.from_numpy(train.indptr[:-1].astype(np.int64)).to(device)
        self.items = torch.from_numpy(train.indices).to(device)
        self.pairs = torch.from_numpy(np.append(keys, np.iinfo(np.int64).max)).to(device)  # ascending

    def draw(self, size: int, *key: int) -> Batch:
        """Draw triples that are a function of the purchases, the key and the kind of device: (size,) each."""
        random = torch.Generator(self.device)
        random.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1)))
        users = self.able[self._below(len(self.able), size, random)]
        share = torch.rand(size, generator=random, device=self.device, dtype=torch.float64)
        bought = self.items[self.starts[users] + (share * self.counts[users]).long()].long()
        other = self._below(self.n_items, size, random)
        undecided = torch.arange(size, device=self.device)
        while len(undecided):
            keys = users[undecided] * self.n_items + other[undecided]
            undecided = undecided[self.pairs[torch.searchsorted(self.pairs, keys)] == keys]
            other[undecided] = self._below(self.n_items, len(undecided), random)
        return users, bought, other

    def _below(self, limit: int, size: int, random: torch.Generator) -> torch.Tensor:
        return torch.randint(limit, (size,), generator=random, device=self.device)
