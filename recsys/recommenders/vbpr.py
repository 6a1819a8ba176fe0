"""VBPR (He and McAuley 2016), as in the paper: score(u, i) = β_i + γ_u · γ_i + θ_u · (E f_i) + β' · f_i, learned from pairs.

As in the paper's experiments γ and θ share the `factors` half and half, so that a model with features has no more of
them than BPR, and E and β' are not regularised. f_i are the item's features, each dimension standardised over the
items and divided by √dim: neither an extractor's scale nor its number of dimensions then changes what a learning
rate means.
"""

import numpy as np
import scipy.sparse as sp
import torch

from recsys.pairwise import Factors, array, initial, learn
from recsys.recommenders import Options

SEEDED = True
NEEDS_FEATURES = True


class Vbpr(torch.nn.Module):
    def __init__(self, n_users: int, features: np.ndarray, options: Options, seed: int) -> None:
        super().__init__()
        n_items, dim = features.shape
        seen = options.factors // 2
        hidden = options.factors - seen
        self.features = torch.from_numpy(features).to(options.device)
        self.user = initial(n_users, hidden, seed, 0, options.device)  # γ_u
        self.item = initial(n_items, hidden, seed, 1, options.device)  # γ_i
        self.bias = torch.nn.Parameter(torch.zeros(n_items, device=options.device))  # β_i
        self.taste = initial(n_users, seen, seed, 2, options.device)  # θ_u
        self.projection = initial(dim, seen, seed, 3, options.device)  # E
        self.appeal = torch.nn.Parameter(torch.zeros(dim, device=options.device))  # β'

    def seen(self, bought: torch.Tensor, other: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """E (f_bought − f_other): (batch, seen), and β' · (f_bought − f_other): (batch,)."""
        if len(self.features) > 2 * len(bought):
            apart = self.features.index_select(0, bought) - self.features.index_select(0, other)  # (batch, dim)
            return apart @ self.projection, apart @ self.appeal
        every, appeal = self.features @ self.projection, self.features @ self.appeal  # costs less than to gather rows
        return every.index_select(0, bought) - every.index_select(0, other), appeal[bought] - appeal[other]

    def forward(
        self, users: torch.Tensor, bought: torch.Tensor, other: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        user, taste = self.user.index_select(0, users), self.taste.index_select(0, users)
        better, worse = self.item.index_select(0, bought), self.item.index_select(0, other)
        fame, obscurity = self.bias[bought], self.bias[other]
        seen, appeal = self.seen(bought, other)
        higher = (user * (better - worse)).sum(1) + fame - obscurity + (taste * seen).sum(1) + appeal
        length = user.square().sum(1) + better.square().sum(1) + worse.square().sum(1) + taste.square().sum(1)
        return higher, length + fame.square() + obscurity.square()


def standardised(features: np.ndarray) -> np.ndarray:
    """Each dimension with mean 0 and variance 1 over the items, divided by √dim; a constant dimension becomes 0.

    Raises:
        ValueError: a feature is not finite.
    """
    if not np.isfinite(features).all():
        raise ValueError(
            f"{(~np.isfinite(features)).any(1).sum()} of {len(features)} items have features that are not finite"
        )
    centred = features.astype(np.float32) - features.mean(0, dtype=np.float64).astype(np.float32)
    spread = centred.std(0, dtype=np.float64).astype(np.float32)
    informative = spread > 1e-6
    scale = np.divide(1, spread, out=np.zeros_like(spread), where=informative) / np.sqrt(max(1, informative.sum()))
    return (centred * scale).astype(np.float32)


def fit(train: sp.csr_matrix, options: Options, seed: int, features: np.ndarray | None = None) -> Factors:
    assert features is not None
    model = Vbpr(train.shape[0], standardised(features), options, seed)
    learn(model, train, options, seed)
    with torch.no_grad():
        every, appeal = array(model.features @ model.projection), array(model.features @ model.appeal)
    return Factors(
        user=np.hstack([array(model.user), array(model.taste)]),
        item=np.hstack([array(model.item), every]),
        bias=array(model.bias) + appeal,
    )
