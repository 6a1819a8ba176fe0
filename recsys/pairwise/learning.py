"""Triples, and the loop over them: epochs, fixed or as many as a measure improves, and a state to continue from.

Triples are drawn on the device that learns: uniform users, then uniform purchases; other items by rejection.

Early stopping (`Run.stopping`): every so many epochs the model is measured; after `patience` measurements without a
better one it stops. `recsys.tuning` uses it to find the number of epochs, on data that the model does not learn from.

Every epoch is drawn in blocks of a million triples, each from a generator of its own (seed, epoch, block), so that a
position in the work is two numbers. The state is saved at a block's end once a minute has passed since the last save.
The result has the same bytes wherever a fit is killed.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import scipy.sparse as sp
import torch

from pipeline import checkpoints
from pipeline.core.errors import UserError
from recsys.pairwise.adam import to_array
from recsys.pairwise.settings import PairwiseSettings
from recsys.purchases.dataset import Dataset
from recsys.ranking.scorers import Factors
from recsys.ranking.settings import Run

BLOCK_TRIPLES = 1_000_000
SAVE_SECONDS = 60.0
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


class Table(Protocol):
    """What a model learns, in a form to store: a table of parameters, or a graph.

    Attributes:
        values: what must stay finite.
    """

    values: torch.Tensor

    @property
    def state(self) -> dict[str, torch.Tensor]:
        """Every tensor that learning changes, by name."""
        ...


class Model(Protocol):
    """What learns from triples: a `PairwiseModel`, or a model on graphs."""

    @property
    def parameters(self) -> Sequence[Table]:
        """Every table of parameters, in a fixed order."""
        ...

    def begin_epoch(self, seed: int, epoch: int) -> None:
        """Prepare an epoch, as a function of the run's seed and the epoch alone."""
        ...

    def step(self, triples: Batch, regularisation: float) -> torch.Tensor:
        """Move the parameters once, and return the loss before, a scalar."""
        ...


AnyModel = TypeVar("AnyModel", bound=Model)


class State:
    """How far a phase of the work is, and the file that stores it; without a folder it is not stored."""

    def __init__(self, folder: Path | None, phase: str) -> None:
        self.path = folder / f"{phase}.safetensors" if folder else None
        self.epoch, self.block = 0, 0
        self.measured: list[tuple[int, float]] = []  # epochs learned, NDCG
        self._saved = time.monotonic()

    def restore(self, model: Model) -> None:
        """Read the stored state into the model, where there is one."""
        stored = checkpoints.load(self.path) if self.path else None
        if stored is None:
            return
        arrays, position = stored
        for number, parameter in enumerate(model.parameters):
            for name, values in parameter.state.items():
                values.copy_(torch.from_numpy(arrays[f"{number}.{name}"]))
        self.epoch, self.block = position["epoch"], position["block"]
        self.measured = [(epochs, ndcg) for epochs, ndcg in position["measured"]]

    def save(self, model: Model, *, now: bool = False) -> None:
        """Write the state once a minute, or `now`."""
        if self.path is None or not (now or time.monotonic() - self._saved >= SAVE_SECONDS):
            return
        tables = enumerate(model.parameters)
        arrays = {f"{n}.{name}": to_array(values) for n, table in tables for name, values in table.state.items()}
        position: dict[str, Any] = {"epoch": self.epoch, "block": self.block, "measured": self.measured}
        checkpoints.save(self.path, arrays, position)
        self._saved = time.monotonic()


def learn(
    new_model: Callable[[], AnyModel],
    read_factors: Callable[[AnyModel], Factors],
    data: Dataset,
    settings: PairwiseSettings,
    run: Run,
) -> Factors:
    """Return the factors of a model that learned from all of `data.train`.

    It learns for `settings.epochs`, or until `run.stopping` has seen enough.

    Args:
        new_model: makes a model that has learned nothing yet.
        read_factors: of a model.
        data: what it learns from.
        settings: the recommender's.
        run: seed, device, threads and folder of checkpoints.

    Raises:
        UserError: the parameters grew beyond all bounds, or there is nothing to learn from.
    """
    torch.set_num_threads(run.threads)
    make_deterministic(run.device)
    model, state = new_model(), State(run.checkpoints, "fit")
    state.restore(model)
    triples = Triples(data.train, run.device)
    while not is_learned(model, read_factors, settings, run, state):
        learn_epoch(model, triples, settings, run.seed, state)
    state.save(model, now=run.stopping is not None)
    return read_factors(model)


def is_learned(
    model: AnyModel, read_factors: Callable[[AnyModel], Factors], settings: PairwiseSettings, run: Run, state: State
) -> bool:
    """Measure the model where that is due, and tell whether it has learned long enough."""
    last = state.epoch >= settings.epochs
    if run.stopping is None:
        return last
    measured = run.stopping.measured = state.measured
    if state.epoch and (last or state.epoch % run.stopping.every == 0) and state.epoch not in dict(measured):
        measured.append((state.epoch, run.stopping.measure(read_factors(model))))
    return last or is_out_of_patience(measured, run.stopping.patience)


def is_out_of_patience(measured: list[tuple[int, float]], patience: int) -> bool:
    """Tell whether the last `patience` measurements brought nothing better than those before them.

    >>> is_out_of_patience([(2, 0.1), (4, 0.3), (6, 0.2)], patience=2)
    False
    >>> is_out_of_patience([(2, 0.1), (4, 0.3), (6, 0.2), (8, 0.3)], patience=2)
    True

    Args:
        measured: epochs and NDCG, in order.
        patience: how many measurements may pass without a better one; 0: any number.
    """
    values = [ndcg for _, ndcg in measured]
    return 0 < patience < len(values) and max(values[-patience:]) <= max(values[:-patience])


def learn_epoch(model: Model, triples: Triples, settings: PairwiseSettings, seed: int, state: State) -> None:
    """Learn from as many triples as there are pairs, from the block where `state` is to the epoch's end."""
    model.begin_epoch(seed, state.epoch)
    starts = range(0, triples.size, BLOCK_TRIPLES)
    while state.block < len(starts):
        size = min(BLOCK_TRIPLES, triples.size - starts[state.block])
        block = triples.draw(size, seed, state.epoch, state.block)
        for batch in zip(*(part.split(settings.batch_size) for part in block), strict=True):
            model.step(batch, settings.regularisation)
        check_finite(model, settings)
        state.block += 1
        if state.block < len(starts):
            state.save(model)
    state.epoch, state.block = state.epoch + 1, 0
    state.save(model)


def check_finite(model: Model, settings: PairwiseSettings) -> None:
    """Refuse a model whose parameters grew beyond all bounds.

    Raises:
        UserError: a parameter is not finite.
    """
    if not all(bool(torch.isfinite(table.values).all()) for table in model.parameters):
        raise UserError(
            f"learning diverged; lower {settings.SECTION}.learning_rate ({settings.learning_rate}) "
            f"or raise {settings.SECTION}.regularisation ({settings.regularisation})"
        )


def make_deterministic(device: str) -> None:
    """Choose the slower kernels of a GPU that add numbers in a fixed order."""
    if device != "cpu":
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # only costs time
