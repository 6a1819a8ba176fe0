"""Tables of parameters: their first values, Adam (Kingma and Ba 2015) by steps that read few rows, and their arrays."""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.optim.adam import adam

BETAS = (0.9, 0.999)
EPSILON = 1e-8


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


@dataclass
class Adam:
    """A table of parameters with its moments.

    With `sparse=True` a step changes only the rows that it names, and each row counts its own steps. A row then moves
    as under Adam of those steps alone: a step costs what its batch costs, whatever the number of users, and a user who
    is drawn rarely moves as far in a step as one who is drawn often. With `sparse=False` it equals torch.optim.Adam,
    whose rows also move by their momentum alone, and a step costs as much as there are rows. With `fused=True` it is
    torch's own kernel, which goes over a large table once, in a fifth of the time, and differs in the last digits.

    Attributes:
        values: the parameters, (n, width).
        learning_rate: Adam's α.
        sparse: whether a step changes only the rows that it names.
        fused: whether torch's kernel takes the steps; not with `sparse`.
        mean: moving mean of the gradient, (n, width).
        square: moving mean of its square, (n, width).
        steps: how many steps each row has taken, (n, 1) float32; if `fused` that of all, (1, 1).
    """

    values: torch.Tensor
    learning_rate: float
    sparse: bool = False
    fused: bool = False
    mean: torch.Tensor = field(init=False)
    square: torch.Tensor = field(init=False)
    steps: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.mean, self.square = torch.zeros_like(self.values), torch.zeros_like(self.values)
        self.steps = torch.zeros(1 if self.fused else len(self.values), 1, device=self.values.device)

    @property
    def state(self) -> dict[str, torch.Tensor]:
        """Every tensor that a step changes, by name."""
        return {"values": self.values, "mean": self.mean, "square": self.square, "steps": self.steps}

    def rows(self, rows: torch.Tensor) -> torch.Tensor:
        """Return some rows as a leaf of autograd: (len(rows), width)."""
        return self.values.index_select(0, rows).requires_grad_()

    def update(self, gradient: torch.Tensor, rows: torch.Tensor | None = None) -> None:
        """Take one step.

        Args:
            gradient: (len(rows), width).
            rows: the rows of the gradient, all different; None: all.
        """
        if self.fused:
            self._move_fused(gradient if rows is None else torch.zeros_like(self.values).index_copy_(0, rows, gradient))
        elif rows is None:
            self._move(gradient, self.values, self.mean, self.square, self.steps)
        elif self.sparse:
            parts = [part.index_select(0, rows) for part in self.state.values()]
            self._move(gradient, *parts)
            for whole, part in zip(self.state.values(), parts, strict=True):
                whole.index_copy_(0, rows, part)
        else:
            whole = torch.zeros_like(self.values).index_copy_(0, rows, gradient)
            self._move(whole, self.values, self.mean, self.square, self.steps)

    def _move(
        self,
        gradient: torch.Tensor,
        values: torch.Tensor,
        mean: torch.Tensor,
        square: torch.Tensor,
        steps: torch.Tensor,
    ) -> None:
        """Change the values and moments in place."""
        first, second = BETAS
        steps += 1
        mean.lerp_(gradient, 1 - first)
        square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        length = (square / _bias(second, steps)).sqrt_().add_(EPSILON)
        values.sub_(mean / length * (self.learning_rate / _bias(first, steps)))

    def _move_fused(self, gradient: torch.Tensor) -> None:
        """Change the values and moments in place, all in one pass."""
        first, second = BETAS
        adam(
            [self.values],
            [gradient],
            [self.mean],
            [self.square],
            [],
            [self.steps],
            fused=True,
            amsgrad=False,
            beta1=first,
            beta2=second,
            lr=self.learning_rate,
            weight_decay=0.0,
            eps=EPSILON,
            maximize=False,
        )


def _bias(beta: float, steps: torch.Tensor) -> torch.Tensor:
    """Return 1 − beta^steps, exact to all digits of float32 after the first step too."""
    return -torch.expm1(steps * math.log(beta))
