"""Fixed epochs and found ones, killed fits that go on, divergence."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from features.files import all_rows
from pipeline.core.errors import UserError
from recsys.pairwise import Factors, initial, learning
from recsys.purchases.dataset import Dataset, dataset_of
from recsys.ranking.options import Options
from recsys.recommenders import bpr, vbpr
from tests.recsys.recommenders.contract import OPTIONS, parity_features, shop

BOTH = pytest.mark.parametrize("module", [bpr, vbpr], ids=["bpr", "vbpr"])


class Killed(BaseException):
    """What ends a fit in the middle."""


def data_with_cut() -> Dataset:
    """A tenth of the purchases is the validation cut; every user keeps others."""
    train = shop()
    chosen = np.random.default_rng(0).random(train.nnz) < 0.1
    chosen[train.indptr[:-1]] = False
    cut = train.copy()
    cut.data = chosen.astype(np.float32)
    cut.eliminate_zeros()
    return replace(dataset_of(train), validation=cut)


def fit(module: Any, data: Dataset, place: Path | None = None, **options: Any) -> Factors:
    features = all_rows(parity_features(90)) if module.NEEDS_FEATURES else None
    return module.fit(data, Options(**(OPTIONS | {"epochs": 4} | options), checkpoints=place), 1, features)


def same(one: Factors, other: Factors) -> bool:
    return all((getattr(one, name) == getattr(other, name)).all() for name in ("user", "item", "bias"))


class Steps:
    """Steps that are counted, and end the fit at one of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.taken, self.killed_at = 0, -1
        self.step = learning.step
        monkeypatch.setattr(learning, "step", self)

    def __call__(self, *arguments: Any) -> torch.Tensor:
        self.taken += 1
        if self.taken == self.killed_at:
            raise Killed
        return self.step(*arguments)


@BOTH
@pytest.mark.parametrize("patience", [0, 2])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_a_killed_fit_goes_on_to_the_same_factors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, patience: int, share: float
) -> None:
    monkeypatch.setattr(learning, "BLOCK_TRIPLES", 300)  # several blocks an epoch
    monkeypatch.setattr(learning, "SAVE_SECONDS", 0)
    data, steps = data_with_cut(), Steps(monkeypatch)
    wanted = fit(module, data, patience=patience)
    total, steps.taken = steps.taken, 0
    steps.killed_at = int(share * total)
    with pytest.raises(Killed):
        fit(module, data, tmp_path, patience=patience)
    steps.taken, steps.killed_at = 0, -1
    assert same(fit(module, data, tmp_path, patience=patience), wanted)
    assert steps.taken <= (1 - share) * total + 300 / 64 + 1  # a block at most is done again
    steps.taken = 0
    assert same(fit(module, data, tmp_path, patience=patience), wanted)
    assert steps.taken == 0


@pytest.mark.parametrize("evaluate_every", [1, 3, 4])
def test_a_fit_killed_while_it_measures_measures_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evaluate_every: int
) -> None:
    monkeypatch.setattr(learning, "SAVE_SECONDS", 0)
    measure, seen = learning.validation_ndcg, []
    killed_at = 0

    def ndcg(*arguments: Any) -> float:
        seen.append(measure(*arguments))
        if len(seen) == killed_at:
            raise Killed
        return seen[-1]

    monkeypatch.setattr(learning, "validation_ndcg", ndcg)
    data, options = data_with_cut(), {"patience": 3, "evaluate_every": evaluate_every}
    wanted, values = fit(bpr, data, **options), list(seen)
    for killed_at in range(1, len(values) + 1):
        seen.clear()
        with pytest.raises(Killed):
            fit(bpr, data, tmp_path / str(killed_at), **options)
        assert same(fit(bpr, data, tmp_path / str(killed_at), **options), wanted)
        assert seen == [*values[:killed_at], *values[killed_at - 1 :]]  # the one that was lost, and those to come


def test_a_damaged_state_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "SAVE_SECONDS", 0)
    wanted = fit(bpr, data_with_cut(), tmp_path)
    path = tmp_path / "fit.safetensors"
    path.write_bytes(path.read_bytes()[:-7] + b"damaged")
    assert same(fit(bpr, data_with_cut(), tmp_path), wanted)


def test_the_epochs_are_those_that_rank_the_cut_best_and_the_cut_is_learned_from_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores, asked = iter([0.1, 0.3, 0.3, 0.2, 0.9]), []

    def ndcg(factors: Factors, train: Any, relevant: Any, k: int, seed: int) -> float:
        assert not train.multiply(relevant).nnz
        asked.append(k)
        return next(scores)

    monkeypatch.setattr(learning, "validation_ndcg", ndcg)
    data = data_with_cut()
    found = fit(bpr, data, patience=2, epochs=40, evaluate_every=3)
    assert len(asked) == 4  # twice no better than 0.3
    assert same(found, fit(bpr, data, epochs=6))


def test_learning_too_long_is_noticed() -> None:
    """Random purchases: nothing generalises but popularity, so the best is early and the last is worse."""
    data = data_with_cut()
    options = Options(**(OPTIONS | {"epochs": 60, "patience": 60, "evaluate_every": 2, "regularisation": 0.0}))
    build = lambda: bpr.model_of(*data.train.shape, options, 1)  # noqa: E731
    assert learning.best_epochs(build, bpr.fitted, data, options, 1) < 30


def test_measured_is_the_mean_ndcg_of_the_users_of_the_cut() -> None:
    data = data_with_cut()
    random = np.random.default_rng(0)
    factors = Factors(*(random.normal(size=size).astype(np.float32) for size in ((60, 3), (90, 3), (90,))))
    train, cut = data.before_validation(), data.validation
    assert cut is not None
    values = []
    for user in np.flatnonzero(np.diff(cut.indptr)):
        scores = np.where(train[user].toarray()[0] > 0, -np.inf, factors.scores(np.array([user]))[0])
        best = np.argsort(-scores)[:12]
        gains = cut[user].toarray()[0][best] @ (1 / np.log2(np.arange(12) + 2))
        values.append(gains / (1 / np.log2(np.arange(min(12, cut[user].nnz)) + 2)).sum())
    found = learning.validation_ndcg(factors, train, cut, 12, seed=1)
    assert abs(found - np.mean(values)) < 1e-9


def test_stopping_early_without_a_cut_says_what_to_do() -> None:
    with pytest.raises(UserError, match=r"validation cut is empty; set rec_fit\.patience: 0"):
        fit(bpr, dataset_of(shop()), patience=1)


def test_divergence_is_said() -> None:
    with pytest.raises(UserError, match=r"lower rec_fit\.learning_rate"):
        fit(bpr, dataset_of(shop()), learning_rate=1e30)


def test_initial_values_depend_on_seed_and_stream_only() -> None:
    first = initial(5, 3, seed=1, stream=0, device="cpu")
    assert (first == initial(5, 3, 1, 0, "cpu")).all()
    assert (first != initial(5, 3, 1, 1, "cpu")).all()
    assert (first != initial(5, 3, 2, 0, "cpu")).all()
