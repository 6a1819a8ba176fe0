"""The loop over triples: epochs fixed or found on the validation cut, and a state from which a killed fit goes on.

Early stopping (`patience` above 0): a model learns from train without the validation cut; every `evaluate_every` epochs the
NDCG@top_k of the cut is measured, on the same 10,000 users at most; after `patience` measurements without a better one it
stops. Then a new model learns from all of train for the best number of epochs, as kNN learns from all of train; it is the
one that is used. Each run (seed) finds its own number. A purchase of the cut that train has earlier too stays in train.

Every epoch is drawn in blocks of a million triples, each from a generator of its own (seed, epoch, block), so that a place
in the work is two numbers. A state is saved at a block's end once a minute has passed since the last; wherever a fit is
killed, the result has the same bytes.
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
from recsys.pairwise.factors import Factors, array
from recsys.pairwise.model import Pairwise, step
from recsys.pairwise.triples import Triples
from recsys.purchases.dataset import Dataset
from recsys.ranking.options import Options
from recsys.ranking.recommend import recommend
from recsys.scoring.metrics import compute_metrics

BLOCK_TRIPLES = 1_000_000
SAVE_SECONDS = 60.0
VALIDATION_USERS = 10_000

Build = Callable[[], Pairwise]  # a model that has learned nothing yet
Fitted = Callable[[Pairwise], Factors]


class State:
    """Where a phase of the work is, and the file that remembers it; without a folder it is not remembered."""

    def __init__(self, folder: Path | None, phase: str) -> None:
        self.path = folder / f"{phase}.safetensors" if folder else None
        self.epoch, self.block = 0, 0
        self.measured: list[tuple[int, float]] = []  # epochs learned, NDCG
        self._saved = time.monotonic()

    def restore(self, model: Pairwise) -> None:
        found = checkpoints.load(self.path) if self.path else None
        if found is None:
            return
        arrays, where = found
        for number, parameter in enumerate(model.parameters):
            for name, values in parameter.state.items():
                values.copy_(torch.from_numpy(arrays[f"{number}.{name}"]))
        self.epoch, self.block = where["epoch"], where["block"]
        self.measured = [(epochs, ndcg) for epochs, ndcg in where["measured"]]

    def save(self, model: Pairwise, *, now: bool = False) -> None:
        """Writes once a minute, or `now`."""
        if self.path is None or not (now or time.monotonic() - self._saved >= SAVE_SECONDS):
            return
        tables = enumerate(model.parameters)
        arrays = {f"{n}.{name}": array(values) for n, table in tables for name, values in table.state.items()}
        where: dict[str, Any] = {"epoch": self.epoch, "block": self.block, "measured": self.measured}
        checkpoints.save(self.path, arrays, where)
        self._saved = time.monotonic()


def learned(build: Build, fitted: Fitted, data: Dataset, options: Options, seed: int) -> Factors:
    """The factors of a model that learned from all of `data.train`.

    Raises:
        UserError: the parameters grew beyond all bounds, there is nothing to learn from, or the epochs are to be found on a
            validation cut that is empty.
    """
    torch.set_num_threads(options.threads)
    deterministic(options.device)
    epochs = best_epochs(build, fitted, data, options, seed) if options.patience else options.epochs
    model, state = build(), State(options.checkpoints, "fit")
    state.restore(model)
    triples = Triples(data.train, options.device)
    while state.epoch < epochs:
        learn_epoch(model, triples, options, seed, state)
    return fitted(model)


def best_epochs(build: Build, fitted: Fitted, data: Dataset, options: Options, seed: int) -> int:
    """The number of epochs, at most `options.epochs`, after which the validation cut is ranked best."""
    train, relevant = data.before_validation(), data.validation
    if relevant is None or not relevant.nnz:
        raise UserError(
            "rec_fit.patience: nothing to measure on, the validation cut is empty; "
            "set rec_fit.patience: 0 (fixed epochs), or rec_interactions.validation_purchases: 1"
        )
    model, state = build(), State(options.checkpoints, "search")
    state.restore(model)
    triples = Triples(train, options.device)
    while True:
        due = state.epoch and (state.epoch % options.evaluate_every == 0 or state.epoch == options.epochs)
        if due and state.epoch not in dict(state.measured):
            state.measured.append((state.epoch, validation_ndcg(fitted(model), train, relevant, options.top_k, seed)))
        if state.epoch == options.epochs or worn_out(state.measured, options.patience):
            break
        learn_epoch(model, triples, options, seed, state)
    state.save(model, now=True)
    return max(state.measured, key=lambda pair: (pair[1], -pair[0]))[0]


def worn_out(measured: list[tuple[int, float]], patience: int) -> bool:
    """Whether the last `patience` measurements brought nothing better than those before them."""
    values = [ndcg for _, ndcg in measured]
    return len(values) > patience and max(values[-patience:]) <= max(values[:-patience])


def learn_epoch(model: Pairwise, triples: Triples, options: Options, seed: int, state: State) -> None:
    """As many triples as there are pairs, from the block where `state` is to the epoch's end."""
    starts = range(0, triples.size, BLOCK_TRIPLES)
    while state.block < len(starts):
        size = min(BLOCK_TRIPLES, triples.size - starts[state.block])
        drawn = triples.draw(size, seed, state.epoch, state.block)
        for batch in zip(*(part.split(options.batch_size) for part in drawn), strict=True):
            step(model, batch, options.regularisation)
        check_finite(model)
        state.block += 1
        if state.block < len(starts):
            state.save(model)
    state.epoch, state.block = state.epoch + 1, 0
    state.save(model)


def check_finite(model: Pairwise) -> None:
    if not all(bool(torch.isfinite(table.values).all()) for table in model.parameters):
        raise UserError("learning diverged; lower rec_fit.learning_rate or raise rec_fit.regularisation")


def validation_ndcg(factors: Factors, train: sp.csr_matrix, relevant: sp.csr_matrix, k: int, seed: int) -> float:
    """Mean NDCG@k over users with an entry in `relevant` (n_users, n_items), what `train` has left out of their lists."""
    users = np.flatnonzero(np.diff(relevant.indptr))
    if len(users) > VALIDATION_USERS:
        users = np.sort(np.random.default_rng(seed).choice(users, VALIDATION_USERS, replace=False))
    some = Factors(factors.user[users], factors.item, factors.bias)
    everything = {"all": np.ones(train.shape[1], dtype=bool)}
    items, _ = recommend(some, train[users], k, everything)["all"]
    return float(np.mean(compute_metrics(items, relevant[users], [k])[f"ndcg_{k}"]))


def deterministic(device: str) -> None:
    """On a GPU sums have no order of their own: asks for the slower kernels that keep one."""
    if device != "cpu":
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # only costs time
