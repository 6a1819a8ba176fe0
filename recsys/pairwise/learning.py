"""The loop over triples: a fixed or a measured number of epochs, and a state from which a killed fit continues.

Early stopping (`patience` above 0): a model learns from train without the validation cut; every `evaluate_every` epochs
the NDCG@top_k of the cut is measured, on the same 10,000 users at most; after `patience` measurements without a better
one it stops. Then a new model learns from all of train for the best number of epochs, as kNN learns from all of train;
that model is the result. Each run (seed) measures its own number. A purchase of the cut that the user also made earlier
stays in train.

Every epoch is drawn in blocks of a million triples, each from a generator of its own (seed, epoch, block), so that a
position in the work is two numbers. The state is saved at a block's end once a minute has passed since the last save.
The result has the same bytes wherever a fit is killed.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from pipeline import checkpoints
from pipeline.core.errors import UserError
from recsys.pairwise.factors import to_array
from recsys.pairwise.model import PairwiseModel, step
from recsys.pairwise.settings import PairwiseSettings
from recsys.pairwise.triples import Triples
from recsys.purchases.dataset import Dataset
from recsys.ranking.recommend import recommend
from recsys.ranking.scorers import Factors
from recsys.ranking.settings import Run
from recsys.scoring.metrics import compute_metrics

BLOCK_TRIPLES = 1_000_000
SAVE_SECONDS = 60.0
VALIDATION_USERS = 10_000

NewModel = Callable[[], PairwiseModel]  # a model that has learned nothing yet
ReadFactors = Callable[[PairwiseModel], Factors]


class State:
    """How far a phase of the work is, and the file that stores it; without a folder it is not stored."""

    def __init__(self, folder: Path | None, phase: str) -> None:
        self.path = folder / f"{phase}.safetensors" if folder else None
        self.epoch, self.block = 0, 0
        self.measured: list[tuple[int, float]] = []  # epochs learned, NDCG
        self._saved = time.monotonic()

    def restore(self, model: PairwiseModel) -> None:
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

    def save(self, model: PairwiseModel, *, now: bool = False) -> None:
        """Write the state once a minute, or `now`."""
        if self.path is None or not (now or time.monotonic() - self._saved >= SAVE_SECONDS):
            return
        tables = enumerate(model.parameters)
        arrays = {f"{n}.{name}": to_array(values) for n, table in tables for name, values in table.state.items()}
        position: dict[str, Any] = {"epoch": self.epoch, "block": self.block, "measured": self.measured}
        checkpoints.save(self.path, arrays, position)
        self._saved = time.monotonic()


def learn(
    new_model: NewModel, read_factors: ReadFactors, data: Dataset, settings: PairwiseSettings, run: Run
) -> Factors:
    """Return the factors of a model that learned from all of `data.train`.

    Raises:
        UserError: the parameters grew beyond all bounds, there is nothing to learn from, or early stopping has an empty
            validation cut.
    """
    torch.set_num_threads(run.threads)
    make_deterministic(run.device)
    epochs = find_best_epochs(new_model, read_factors, data, settings, run) if settings.patience else settings.epochs
    model, state = new_model(), State(run.checkpoints, "fit")
    state.restore(model)
    triples = Triples(data.train, run.device)
    while state.epoch < epochs:
        learn_epoch(model, triples, settings, run.seed, state)
    return read_factors(model)


def find_best_epochs(
    new_model: NewModel, read_factors: ReadFactors, data: Dataset, settings: PairwiseSettings, run: Run
) -> int:
    """Return the number of epochs, at most `settings.epochs`, after which the validation cut is ranked best."""
    train, relevant = data.before_validation(), data.validation
    if relevant is None or not relevant.nnz:
        raise UserError(
            f"{settings.SECTION}.patience: nothing to measure on, the validation cut is empty; "
            f"set {settings.SECTION}.patience: 0 (fixed epochs), or rec_interactions.validation_purchases: 1"
        )
    model, state = new_model(), State(run.checkpoints, "search")
    state.restore(model)
    triples = Triples(train, run.device)
    while True:
        due = state.epoch and (state.epoch % settings.evaluate_every == 0 or state.epoch == settings.epochs)
        if due and state.epoch not in dict(state.measured):
            ndcg = measure_ndcg(read_factors(model), train, relevant, run.top_k, run.seed)
            state.measured.append((state.epoch, ndcg))
        if state.epoch == settings.epochs or is_out_of_patience(state.measured, settings.patience):
            break
        learn_epoch(model, triples, settings, run.seed, state)
    state.save(model, now=True)
    return max(state.measured, key=lambda pair: (pair[1], -pair[0]))[0]


def is_out_of_patience(measured: list[tuple[int, float]], patience: int) -> bool:
    """Tell whether the last `patience` measurements brought nothing better than those before them.

    >>> is_out_of_patience([(2, 0.1), (4, 0.3), (6, 0.2)], patience=2)
    False
    >>> is_out_of_patience([(2, 0.1), (4, 0.3), (6, 0.2), (8, 0.3)], patience=2)
    True

    Args:
        measured: epochs and NDCG, in order.
        patience: how many measurements may pass without a better one.
    """
    values = [ndcg for _, ndcg in measured]
    return len(values) > patience and max(values[-patience:]) <= max(values[:-patience])


def learn_epoch(model: PairwiseModel, triples: Triples, settings: PairwiseSettings, seed: int, state: State) -> None:
    """Learn from as many triples as there are pairs, from the block where `state` is to the epoch's end."""
    starts = range(0, triples.size, BLOCK_TRIPLES)
    while state.block < len(starts):
        size = min(BLOCK_TRIPLES, triples.size - starts[state.block])
        block = triples.draw(size, seed, state.epoch, state.block)
        for batch in zip(*(part.split(settings.batch_size) for part in block), strict=True):
            step(model, batch, settings.regularisation)
        check_finite(model, settings)
        state.block += 1
        if state.block < len(starts):
            state.save(model)
    state.epoch, state.block = state.epoch + 1, 0
    state.save(model)


def check_finite(model: PairwiseModel, settings: PairwiseSettings) -> None:
    """Refuse a model whose parameters grew beyond all bounds.

    Raises:
        UserError: a parameter is not finite.
    """
    if not all(bool(torch.isfinite(table.values).all()) for table in model.parameters):
        raise UserError(
            f"learning diverged; lower {settings.SECTION}.learning_rate ({settings.learning_rate}) "
            f"or raise {settings.SECTION}.regularisation ({settings.regularisation})"
        )


def measure_ndcg(factors: Factors, train: sp.csr_matrix, relevant: sp.csr_matrix, k: int, seed: int) -> float:
    """Return the mean NDCG@k over the users with a relevant item.

    Args:
        factors: what is measured.
        train: (n_users, n_items), the pairs that no list holds.
        relevant: (n_users, n_items), the validation cut.
        k: the length of a list.
        seed: draws the users where there are too many.
    """
    users = np.flatnonzero(np.diff(relevant.indptr))
    if len(users) > VALIDATION_USERS:
        users = np.sort(np.random.default_rng(seed).choice(users, VALIDATION_USERS, replace=False))
    some = Factors(factors.user[users], factors.item, factors.bias)
    everything = {"all": np.ones(train.shape[1], dtype=bool)}
    items, _ = recommend(some, train[users], k, everything)["all"]
    return float(np.mean(compute_metrics(items, relevant[users], [k])[f"ndcg_{k}"]))


def make_deterministic(device: str) -> None:
    """Choose the slower kernels of a GPU that add numbers in a fixed order."""
    if device != "cpu":
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # only costs time
