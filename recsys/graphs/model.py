"""A model that learns on a graph: every step propagates all users and items, and moves every row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from recsys.graphs.learned import EpochEdges
from recsys.graphs.purchases import Purchases
from recsys.pairwise.adam import Adam
from recsys.pairwise.learning import Batch, Table

DECAY_EPOCHS = 50  # after which the learning rates are `decay` times what they were
Leaves = dict[str, torch.Tensor]  # the tables of a model as leaves of autograd, by name
# Tables, the graph of this epoch, a batch, and the regularisation's weight; returns the loss, a scalar.
ComputeLoss = Callable[[Leaves, Purchases, Batch, float], torch.Tensor]


@dataclass
class GraphModel:
    """Tables of parameters, the graph that they learn on, and the loss.

    Attributes:
        tables: parameters by name, (n, width) each; offsets of a projection are (1, width).
        whole: the graph of all purchases, by which users and items are scored.
        compute_loss: of the recommender.
        draw_part: the graph of an epoch, as a function of the run's seed and the epoch; None: the whole one.
        learned: the graph of items that every epoch learns anew; None: there is none.
        momentum: whether a table that a step does not read moves on by its momentum; else it rests.
        decay: what the learning rates are multiplied with every 50 epochs, a part of it in each epoch.
        graph: that of this epoch.
    """

    tables: dict[str, Adam]
    whole: Purchases
    compute_loss: ComputeLoss
    draw_part: Callable[[int, int], Purchases] | None = None
    decay: float = 1.0
    learned: EpochEdges | None = None
    momentum: bool = False
    graph: Purchases = field(init=False)

    def __post_init__(self) -> None:
        self.graph = self.whole
        self.rates = {name: table.learning_rate for name, table in self.tables.items()}

    @property
    def parameters(self) -> Sequence[Table]:
        """Every table of parameters, in a fixed order, and the graph that was learned."""
        return [*self.tables.values(), *([self.learned] if self.learned else [])]

    def begin_epoch(self, seed: int, epoch: int) -> None:
        """Take the epoch's graph and learning rates."""
        for name, table in self.tables.items():
            table.learning_rate = self.rates[name] * self.decay ** (epoch / DECAY_EPOCHS)
        if self.learned:
            self.learned.current = epoch
        self.graph = self.draw_part(seed, epoch) if self.draw_part else self.whole

    def step(self, triples: Batch, regularisation: float) -> torch.Tensor:
        """Move the parameters once, and return the loss before, a scalar."""
        leaves = {name: table.values.detach().requires_grad_() for name, table in self.tables.items()}
        loss = self.compute_loss(leaves, self.graph, triples, regularisation)
        gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=self.learned is not None)
        for table, gradient in zip(self.tables.values(), gradients, strict=True):
            if gradient is not None:
                table.update(gradient)
            elif self.momentum:
                table.update(torch.zeros_like(table.values))
        return loss.detach()

    def read_tables(self) -> Leaves:
        """Return the values of the tables, without autograd."""
        return {name: table.values for name, table in self.tables.items()}


def new_embeddings(shape: tuple[int, int], width: int, rate: float, seed: int, device: str) -> dict[str, Adam]:
    """Return the tables `users` and `items` as they are before anything is learned, (n, width) each.

    Args:
        shape: how many users and items.
        width: of a vector.
        rate: Adam's.
        seed: of the run.
        device: where the model learns.
    """
    return {
        name: Adam(draw_xavier(rows, width, seed, stream, device), rate)
        for stream, (name, rows) in enumerate(zip(("users", "items"), shape, strict=True))
    }


def draw_xavier(rows: int, columns: int, seed: int, stream: int, device: str) -> torch.Tensor:
    """Draw uniform values of Glorot and Bengio (2010): bound √(6 / (rows + columns)), (rows, columns) float32.

    Args:
        rows: how many rows.
        columns: how many columns.
        seed: of the run.
        stream: the number of the parameter: its values depend on the seed and on nothing else that is drawn.
        device: where the values are used.
    """
    return draw_uniform(rows, columns, (6 / (rows + columns)) ** 0.5, seed, stream, device)


def draw_uniform(rows: int, columns: int, bound: float, seed: int, stream: int, device: str) -> torch.Tensor:
    """Draw uniform values between −bound and bound: (rows, columns) float32; see `draw_xavier`."""
    values = np.random.default_rng((seed, stream)).uniform(-bound, bound, (rows, columns))
    return torch.from_numpy(values.astype(np.float32)).to(device)


def compare_pairs(user: torch.Tensor, bought: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Return −ln σ of how much higher the bought item scores: (size,).

    Args:
        user: rows of a batch, (size, width).
        bought: of the bought items, (size, width).
        other: of the other items, (size, width).
    """
    return torch.nn.functional.softplus((user * (other - bought)).sum(1))
