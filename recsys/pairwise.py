"""Learning from pairs (BPR, Rendle et al. 2009): sampling of triples, the loop over them, and the fitted factors.

A triple is a user, an item the user has bought and one the user has not; the loss is −ln σ(score of the first − score of
the second), averaged over a batch, plus `regularisation` times the mean squared length of the parameters in it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import scipy.sparse as sp
import torch

from pipeline.errors import UserError
from recsys.recommenders import Options

Triples = tuple[np.ndarray, np.ndarray, np.ndarray]  # users, bought, other: (batch,) int64 each


@dataclass(frozen=True)
class Factors:
    """score(u, i) = user[u] · item[i] + bias[i]."""

    user: np.ndarray  # (n_users, factors) float32
    item: np.ndarray  # (n_items, factors) float32
    bias: np.ndarray  # (n_items,) float32

    def scores(self, users: np.ndarray) -> np.ndarray:
        return self.user[users] @ self.item.T + self.bias


class Model(Protocol):
    def parameters(self) -> Iterator[torch.nn.Parameter]: ...

    def __call__(
        self, users: torch.Tensor, bought: torch.Tensor, other: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Per triple: how much higher the bought item scores, and the squared length of the parameters used."""
        ...


def sample(train: sp.csr_matrix, size: int, random: np.random.Generator) -> Triples:
    """Triples: a user, one of the items bought, an item not bought by rejection, each uniform.

    Users who have bought everything are never drawn.

    Raises:
        UserError: no user has both bought something and left something.
    """
    n_items = train.shape[1]
    bought_by_user = np.diff(train.indptr)
    able = np.flatnonzero((bought_by_user > 0) & (bought_by_user < n_items))
    if not len(able):
        raise UserError(
            "no user has bought some candidates and left others, so bpr and vbpr have nothing to learn from"
        )
    users = able[random.integers(len(able), size=size)]
    bought = train.indices[train.indptr[users] + random.integers(bought_by_user[users])].astype(np.int64)
    owner = np.repeat(np.arange(train.shape[0], dtype=np.int64), bought_by_user)
    pairs = np.append(owner * n_items + train.indices, np.iinfo(np.int64).max)  # ascending
    other = random.integers(n_items, size=size)
    open_ = np.arange(size)
    while len(open_):
        keys = users[open_] * n_items + other[open_]
        open_ = open_[pairs[np.searchsorted(pairs, keys)] == keys]
        other[open_] = random.integers(n_items, size=len(open_))
    return users, bought, other


def learn(model: Model, train: sp.csr_matrix, options: Options, seed: int) -> None:
    """Fits the parameters in place with Adam; an epoch is as many triples as `train` has pairs.

    Raises:
        UserError: the parameters grew beyond all bounds.
    """
    torch.set_num_threads(options.threads)
    random = np.random.default_rng(seed)
    adam = torch.optim.Adam(model.parameters(), lr=options.learning_rate, fused=True)
    for _ in range(options.epochs):
        triples = [torch.from_numpy(part).to(options.device) for part in sample(train, train.nnz, random)]
        for users, bought, other in zip(*(part.split(options.batch_size) for part in triples), strict=True):
            higher, length = model(users, bought, other)
            loss = torch.nn.functional.softplus(-higher).mean() + options.regularisation * length.mean()
            adam.zero_grad()
            loss.backward()
            adam.step()
    if not all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters()):
        raise UserError("learning diverged; lower rec_fit.learning_rate or raise rec_fit.regularisation")


def initial(rows: int, columns: int, seed: int, stream: int, device: str) -> torch.nn.Parameter:
    """Normal values of standard deviation 0.1: (rows, columns).

    `stream` names the parameter: its values depend on the seed and on nothing else that is drawn, so that two runs with
    one seed and different features start from the same users and items.
    """
    values = np.random.default_rng((seed, stream)).standard_normal((rows, columns), dtype=np.float32)
    return torch.nn.Parameter(torch.from_numpy(0.1 * values).to(device))


def array(parameter: torch.Tensor) -> np.ndarray:
    return parameter.detach().cpu().numpy()
