"""BPR-MF (Rendle et al. 2009): score(u, i) = γ_u · γ_i + β_i, learned from pairs."""

import torch

from features.files import Rows
from recsys.pairwise import Adam, Factors, Pairwise, array, initial, learned
from recsys.purchases.dataset import Dataset
from recsys.ranking.options import Options

SEEDED = True
NEEDS_FEATURES = False


def model_of(n_users: int, n_items: int, options: Options, seed: int) -> Pairwise:
    """users: γ_u (n_users, factors); items: γ_i and, last, β_i (n_items, factors + 1)."""
    users = initial(n_users, options.factors, seed, 0, options.device)
    items = initial(n_items, options.factors, seed, 1, options.device)
    biased = torch.nn.functional.pad(items, (0, 1))
    rate = options.learning_rate
    return Pairwise(Adam(users, rate, sparse=True), Adam(biased, rate, sparse=True), compare)


def compare(
    user: torch.Tensor, better: torch.Tensor, worse: torch.Tensor, *_: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    apart = better - worse
    higher = (user * apart[:, :-1]).sum(1) + apart[:, -1]
    return higher, user.square().sum(1) + better.square().sum(1) + worse.square().sum(1)


def fitted(model: Pairwise) -> Factors:
    items = array(model.items.values)
    return Factors(array(model.users.values), items[:, :-1], items[:, -1])


def fit(data: Dataset, options: Options, seed: int, features: Rows | None = None) -> Factors:
    n_users, n_items = data.train.shape
    return learned(lambda: model_of(n_users, n_items, options, seed), fitted, data, options, seed)
