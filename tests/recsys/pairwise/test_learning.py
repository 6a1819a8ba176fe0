"""Triples, fixed and measured numbers of epochs, killed fits that continue, divergence."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from features.files import all_rows
from pipeline.core.errors import UserError
from recsys.graphs.model import GraphModel
from recsys.pairwise import learning
from recsys.pairwise.learning import Triples
from recsys.pairwise.model import PairwiseModel
from recsys.purchases.dataset import Dataset, dataset_of
from recsys.ranking.scorers import Factors
from recsys.ranking.settings import Run, Stopping
from recsys.recommenders import bm3, bpr, freedom, lattice, lightgcn, mgcn, vbpr
from tests.recsys.recommenders.contract import parity_features, settings_of, shop

EVERY = [bpr, vbpr, lightgcn, freedom, bm3, mgcn, lattice]
EACH = pytest.mark.parametrize("module", EVERY, ids=["bpr", "vbpr", "lightgcn", "freedom", "bm3", "mgcn", "lattice"])


class Killed(BaseException):
    """What ends a fit in the middle."""


DATA = dataset_of(shop())


def fit(
    module: Any, data: Dataset, folder: Path | None = None, stopping: Stopping | None = None, **changes: Any
) -> Factors:
    features = all_rows(parity_features(90)) if module.NEEDS_FEATURES else None
    settings = settings_of(module, **({"epochs": 4} | changes))
    return module.fit(data, settings, Run(seed=1, top_k=12, checkpoints=folder, stopping=stopping), features)


def length(scorer: Any) -> float:
    """A measure that changes with every epoch."""
    return float(np.square(scorer.user).sum())


def same(first: Factors, second: Factors) -> bool:
    return all((getattr(first, name) == getattr(second, name)).all() for name in ("user", "item", "bias"))


class Steps:
    """Counts the steps, and ends the fit at the chosen one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken, self.killed_at = 0, -1
        for model in (PairwiseModel, GraphModel):
            monkeypatch.setattr(model, "step", self.count(model.step))

    def count(self, step: Any) -> Any:
        def counted(*arguments: Any) -> torch.Tensor:
            self.taken += 1
            if self.taken == self.killed_at:
                raise Killed
            return step(*arguments)

        return counted


@pytest.mark.slow
@EACH
@pytest.mark.parametrize("measured", [False, True])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_a_killed_fit_continues_to_the_same_factors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, measured: bool, share: float
) -> None:
    monkeypatch.setattr(learning, "BLOCK_TRIPLES", 300)  # several blocks an epoch
    monkeypatch.setattr(learning, "SAVE_SECONDS", 0)
    steps = Steps(monkeypatch)

    def fit_here(folder: Path | None) -> Factors:
        return fit(module, DATA, folder, Stopping(length, 0, 2) if measured else None)

    expected = fit_here(None)
    total, steps.taken = steps.taken, 0
    steps.killed_at = int(share * total)
    with pytest.raises(Killed):
        fit_here(tmp_path)
    steps.taken, steps.killed_at = 0, -1
    assert same(fit_here(tmp_path), expected)
    assert steps.taken <= (1 - share) * total + 300 / 64 + 1  # a block at most is done again
    steps.taken = 0
    assert same(fit_here(tmp_path), expected)
    assert steps.taken == 0


@pytest.mark.parametrize("every", [1, 3, 4])
def test_a_fit_killed_while_it_measures_measures_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    monkeypatch.setattr(learning, "SAVE_SECONDS", 0)
    killed_at, seen = 0, []

    def measure(scorer: Any) -> float:
        seen.append(length(scorer))
        if len(seen) == killed_at:
            raise Killed
        return seen[-1]

    expected, values = fit(bpr, DATA, None, Stopping(measure, 0, every)), list(seen)
    for killed_at in range(1, len(values) + 1):
        seen.clear()
        folder, stopping = tmp_path / str(killed_at), Stopping(measure, 0, every)
        with pytest.raises(Killed):
            fit(bpr, DATA, folder, stopping)
        assert same(fit(bpr, DATA, folder, stopping), expected)
        assert seen == [*values[:killed_at], *values[killed_at - 1 :]]  # the lost measurement again, and the later ones
        assert [value for _, value in stopping.measured] == values


def test_a_damaged_state_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "SAVE_SECONDS", 0)
    expected = fit(bpr, DATA, tmp_path)
    path = tmp_path / "fit.safetensors"
    path.write_bytes(path.read_bytes()[:-7] + b"damaged")
    assert same(fit(bpr, DATA, tmp_path), expected)


@EACH
def test_learning_stops_after_measurements_without_a_better_one(module: Any) -> None:
    values, seen = iter([0.1, 0.3, 0.3, 0.2, 0.9]), []

    def measure(scorer: Any) -> float:
        seen.append(deepcopy(scorer))  # it goes on learning
        return next(values)

    stopping = Stopping(measure, patience=2, every=3)
    last = fit(module, DATA, None, stopping, epochs=40)
    assert stopping.measured == [(3, 0.1), (6, 0.3), (9, 0.3), (12, 0.2)]  # twice no better than 0.3
    assert same(last, fit(module, DATA, epochs=12))
    assert same(seen[1], fit(module, DATA, epochs=6))


def test_the_last_epoch_is_measured_wherever_it_falls() -> None:
    stopping = Stopping(length, patience=0, every=3)
    fit(bpr, DATA, None, stopping, epochs=7)
    assert [epochs for epochs, _ in stopping.measured] == [3, 6, 7]


@EACH
def test_divergence_is_an_error_with_a_remedy(module: Any) -> None:
    """MMRec ends such a run without a word, and reports what it had measured before."""
    section = module.Settings.SECTION.replace(".", r"\.")
    with pytest.raises(UserError, match=rf"lower {section}\.learning_rate"):
        fit(module, dataset_of(shop()), learning_rate=1e38)


def test_a_gain_in_the_fifth_digit_is_a_gain() -> None:
    """MMRec rounds to four digits before it compares."""
    values = iter([0.12341, 0.12342, 0.12343, 0.12344, 0.12344, 0.12345])
    stopping = Stopping(lambda scorer: next(values), patience=1, every=1)
    fit(bpr, DATA, None, stopping, epochs=9)
    assert [epochs for epochs, _ in stopping.measured] == [1, 2, 3, 4, 5]


@EACH
def test_a_measurement_draws_nothing(module: Any) -> None:
    """LGMRec's lists differ at every evaluation; here the same model gives the same factors."""
    seen: list[Factors] = []
    stopping = Stopping(lambda scorer: float(seen.append(deepcopy(scorer)) or len(seen)), patience=0, every=1)
    last = fit(module, DATA, None, stopping, epochs=2)
    assert same(seen[-1], last)


def test_triples_are_a_bought_and_another_item_of_the_user_drawn_uniformly() -> None:
    bought = shop(8, 6).toarray()
    bought[2] = 1  # nothing left to compare with: never drawn
    users, better, worse = (part.numpy() for part in Triples(sp.csr_matrix(bought)).draw(60_000, 0))
    assert (bought[users, better] == 1).all()
    assert (bought[users, worse] == 0).all()
    assert set(users) == {0, 1, 3, 4, 5, 6, 7}
    for user in set(users):
        for drawn, possible in ((better, bought[user] == 1), (worse, bought[user] == 0)):
            shares = np.bincount(drawn[users == user], minlength=6) / (users == user).sum()
            np.testing.assert_allclose(shares[possible], 1 / possible.sum(), atol=0.03)
    np.testing.assert_allclose(np.bincount(users, minlength=8)[[0, 1, 3, 4, 5, 6, 7]] / 60_000, 1 / 7, atol=0.01)


def test_draws_are_a_function_of_the_key() -> None:
    triples = Triples(shop())
    first = triples.draw(500, 1, 0, 2)
    assert all((batch == repeated).all() for batch, repeated in zip(first, triples.draw(500, 1, 0, 2), strict=True))
    for key in ((1, 0, 3), (1, 1, 2), (2, 0, 2)):
        assert any((batch != repeated).any() for batch, repeated in zip(first, triples.draw(500, *key), strict=True))


def test_nothing_to_learn_from_is_an_error() -> None:
    with pytest.raises(UserError, match="nothing to learn from"):
        Triples(sp.csr_matrix(np.ones((3, 4), np.float32)))
