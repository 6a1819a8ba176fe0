"""What is learned, as arrays."""

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Factors:
    """score(u, i) = user[u] · item[i] + bias[i]."""

    user: np.ndarray  # (n_users, factors) float32
    item: np.ndarray  # (n_items, factors) float32
    bias: np.ndarray  # (n_items,) float32

    def scores(self, users: np.ndarray) -> np.ndarray:
        return self.user[users] @ self.item.T + self.bias


def initial(rows: int, columns: int, seed: int, stream: int, device: str) -> torch.Tensor:
    """Normal values of standard deviation 0.1: (rows, columns).

    `stream` names the parameter: its values depend on the seed and on nothing else that is drawn, so that two runs with
    one seed and different features start from the same users and items.
    """
    values = np.random.default_rng((seed, stream)).standard_normal((rows, columns), dtype=np.float32)
    return torch.from_numpy(0.1 * values).to(device)


def array(parameter: torch.Tensor) -> np.ndarray:
    return parameter.detach().cpu().numpy()
