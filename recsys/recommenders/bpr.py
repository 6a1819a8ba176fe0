"""BPR-MF (Rendle et al. 2009): score(u, i) = γ_u · γ_i + β_i, learned from pairs."""

import numpy as np
import scipy.sparse as sp
import torch

from recsys.pairwise import Factors, array, initial, learn
from recsys.recommenders import Options

SEEDED = True
NEEDS_FEATURES = False


class Bpr(torch.nn.Module):
    def __init__(self, n_users: int, n_items: int, options: Options, seed: int) -> None:
        super().__init__()
        self.user = initial(n_users, options.factors, seed, 0, options.device)
        self.item = initial(n_items, options.factors, seed, 1, options.device)
        self.bias = torch.nn.Parameter(torch.zeros(n_items, device=options.device))

    def forward(
        self, users: torch.Tensor, bought: torch.Tensor, other: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        user = self.user.index_select(0, users)  # (batch, factors)
        better, worse = self.item.index_select(0, bought), self.item.index_select(0, other)
        fame, obscurity = self.bias[bought], self.bias[other]
        higher = (user * (better - worse)).sum(1) + fame - obscurity
        length = user.square().sum(1) + better.square().sum(1) + worse.square().sum(1)
        return higher, length + fame.square() + obscurity.square()


def fit(train: sp.csr_matrix, options: Options, seed: int, features: np.ndarray | None = None) -> Factors:
    n_users, n_items = train.shape
    model = Bpr(n_users, n_items, options, seed)
    learn(model, train, options, seed)
    return Factors(array(model.user), array(model.item), array(model.bias))
