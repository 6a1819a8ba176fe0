"""The values that a model starts from, and what it has learned as arrays."""

import numpy as np
import torch


def draw_initial(rows: int, columns: int, seed: int, stream: int, device: str) -> torch.Tensor:
    """Draw normal values of standard deviation 0.1: (rows, columns).

    Args:
        rows: how many rows.
        columns: how many columns.
        seed: the seed of the run.
        stream: the number of the parameter. Its values depend on the seed and on nothing else that is drawn, so that
            two runs with one seed and different features start from the same users and items.
        device: where the values are used.
    """
    values = np.random.default_rng((seed, stream)).standard_normal((rows, columns), dtype=np.float32)
    return torch.from_numpy(0.1 * values).to(device)


def to_array(parameter: torch.Tensor) -> np.ndarray:
    """Return a parameter as an array in the CPU's memory."""
    return parameter.detach().cpu().numpy()
