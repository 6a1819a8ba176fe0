"""Fixed and measured numbers of epochs, killed fits that continue, divergence."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from features.files import all_rows
from pipeline.core.errors import UserError
from recsys.pairwise import learning
from recsys.pairwise.factors import draw_initial
from recsys.purchases.dataset import Dataset, dataset_of
from recsys.ranking.scorers import Factors
from recsys.ranking.settings import Run
from recsys.recommenders import bpr, vbpr
from tests.recsys.recommenders.contract import RUN, parity_features, settings_of, shop

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


def fit(module: Any, data: Dataset, folder: Path | None = None, **changes: Any) -> Factors:
    features = all_rows(parity_features(90)) if module.NEEDS_FEATURES else None
    settings = settings_of(module, **({"epochs": 4} | changes))
    return module.fit(data, settings, Run(seed=1, top_k=12, checkpoints=folder), features)


def same(first: Factors, second: Factors) -> bool:
    return all((getattr(first, name) == getattr(second, name)).all() for name in ("user", "item", "bias"))


class Steps:
    """Counts the steps, and ends the fit at the chosen one."""

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
def test_a_killed_fit_continues_to_the_same_factors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, patience: int, share: float
) -> None:
    monkeypatch.setattr(learning, "BLOCK_TRIPLES", 300)  # several blocks an epoch
    monkeypatch.setattr(learning, "SAVE_SECONDS", 0)
    data, steps = data_with_cut(), Steps(monkeypatch)
    expected = fit(module, data, patience=patience)
    total, steps.taken = steps.taken, 0
    steps.killed_at = int(share * total)
    with pytest.raises(Killed):
        fit(module, data, tmp_path, patience=patience)
    steps.taken, steps.killed_at = 0, -1
    assert same(fit(module, data, tmp_path, patience=patience), expected)
    assert steps.taken <= (1 - share) * total + 300 / 64 + 1  # a block at most is done again
    steps.taken = 0
    assert same(fit(module, data, tmp_path, patience=patience), expected)
    assert steps.taken == 0


@pytest.mark.parametrize("evaluate_every", [1, 3, 4])
def test_a_fit_killed_while_it_measures_measures_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, evaluate_every: int
) -> None:
    monkeypatch.setattr(learning, "SAVE_SECONDS", 0)
    measure, seen = learning.measure_ndcg, []
    killed_at = 0

    def ndcg(*arguments: Any) -> float:
        seen.append(measure(*arguments))
        if len(seen) == killed_at:
            raise Killed
        return seen[-1]

    monkeypatch.setattr(learning, "measure_ndcg", ndcg)
    data, options = data_with_cut(), {"patience": 3, "evaluate_every": evaluate_every}
    expected, values = fit(bpr, data, **options), list(seen)
    for killed_at in range(1, len(values) + 1):
        seen.clear()
        with pytest.raises(Killed):
            fit(bpr, data, tmp_path / str(killed_at), **options)
        assert same(fit(bpr, data, tmp_path / str(killed_at), **options), expected)
        assert seen == [*values[:killed_at], *values[killed_at - 1 :]]  # the lost measurement again, and the later ones


def test_a_damaged_state_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "SAVE_SECONDS", 0)
    expected = fit(bpr, data_with_cut(), tmp_path)
    path = tmp_path / "fit.safetensors"
    path.write_bytes(path.read_bytes()[:-7] + b"damaged")
    assert same(fit(bpr, data_with_cut(), tmp_path), expected)


def test_the_epochs_are_those_that_rank_the_cut_best_and_the_cut_is_learned_from_in_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scores, depths = iter([0.1, 0.3, 0.3, 0.2, 0.9]), []

    def ndcg(factors: Factors, train: Any, relevant: Any, k: int, seed: int) -> float:
        assert not train.multiply(relevant).nnz
        depths.append(k)
        return next(scores)

    monkeypatch.setattr(learning, "measure_ndcg", ndcg)
    data = data_with_cut()
    factors = fit(bpr, data, patience=2, epochs=40, evaluate_every=3)
    assert len(depths) == 4  # twice no better than 0.3
    assert same(factors, fit(bpr, data, epochs=6))


def test_learning_too_long_is_noticed() -> None:
    """Random purchases: nothing generalises but popularity, so the best is early and the last is worse."""
    data = data_with_cut()
    settings = settings_of(bpr, epochs=60, patience=60, evaluate_every=2, regularisation=0.0)
    new_model = lambda: bpr.new_model(*data.train.shape, settings, RUN)  # noqa: E731
    assert learning.find_best_epochs(new_model, bpr.read_factors, data, settings, RUN) < 30


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
    ndcg = learning.measure_ndcg(factors, train, cut, 12, seed=1)
    assert abs(ndcg - np.mean(values)) < 1e-9


def test_stopping_early_without_a_cut_says_what_to_do() -> None:
    with pytest.raises(UserError, match=r"validation cut is empty; set rec_fit\.bpr\.patience: 0"):
        fit(bpr, dataset_of(shop()), patience=1)


def test_divergence_is_an_error_with_a_remedy() -> None:
    with pytest.raises(UserError, match=r"lower rec_fit\.bpr\.learning_rate"):
        fit(bpr, dataset_of(shop()), learning_rate=1e30)


def test_initial_values_depend_on_seed_and_stream_only() -> None:
    first = draw_initial(5, 3, seed=1, stream=0, device="cpu")
    assert (first == draw_initial(5, 3, 1, 0, "cpu")).all()
    assert (first != draw_initial(5, 3, 1, 1, "cpu")).all()
    assert (first != draw_initial(5, 3, 2, 0, "cpu")).all()
