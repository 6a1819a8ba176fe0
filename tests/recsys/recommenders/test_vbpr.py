"""VBPR: the paper's scores, the fork's numbers, features that need not be in memory."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from features.files import all_rows
from pipeline.core.errors import UserError
from recsys.pairwise import visual
from recsys.pairwise.adam import Adam
from recsys.pairwise.model import PairwiseModel
from recsys.pairwise.visual import Visual
from recsys.purchases.dataset import dataset_of
from recsys.recommenders import vbpr
from recsys.recommenders._standards import find_standards
from tests.recsys.recommenders.contract import (
    RUN,
    Behaviour,
    ColdBehaviour,
    PersonalBehaviour,
    checkerboard,
    parity_features,
    settings_of,
    shop,
)

TRACE = Path(__file__).parents[2] / "golden" / "elliot" / "vbpr_tiny"
IDS = [str(item) for item in range(90)]
VARIANTS = pytest.mark.parametrize("variant", ["paper", "ducho"])


class TestVbpr(PersonalBehaviour, ColdBehaviour):
    module = vbpr


@pytest.mark.slow  # its like runs by default
class TestVbprDucho(PersonalBehaviour, ColdBehaviour):
    module = vbpr
    changes: ClassVar[dict[str, object]] = {"variant": "ducho", "epochs": 40, "regularisation": 1e-3}

    def lists(self, *arguments: object, **options: object) -> tuple[np.ndarray, np.ndarray]:
        return super().lists(*arguments, **(self.changes | options))


@pytest.mark.slow  # its like runs by default
class TestVbprMmrec(Behaviour, ColdBehaviour):
    module = vbpr
    changes: ClassVar[dict[str, object]] = {"variant": "mmrec", "regularisation": 1e-3}

    def lists(self, *arguments: object, **options: object) -> tuple[np.ndarray, np.ndarray]:
        return super().lists(*arguments, **(self.changes | options))


def model_of(variant: str, features: np.ndarray) -> PairwiseModel:
    own = settings_of(vbpr, variant=variant)
    rows = all_rows(features)
    if variant == "ducho":
        return vbpr.new_ducho_model(60, rows, own, RUN)
    model = vbpr.new_paper_model(60, rows, *find_standards(rows, IDS), own, RUN)
    random = torch.Generator().manual_seed(0)
    model.items.values[:, -1] = torch.randn(90, generator=random)
    assert model.visual is not None
    model.visual.weights.values[:, -1] = torch.randn(features.shape[1], generator=random)
    return model


def test_scores_are_those_of_the_paper() -> None:
    features = parity_features(90)
    model = model_of("paper", features)
    centre, scale = find_standards(all_rows(features), IDS)
    ready = torch.from_numpy((features - centre) * scale)
    users, items, weights = model.users.values, model.items.values, model.visual.weights.values
    gamma, theta = users.split([4, 4], dim=1)
    scores = items[:, 4] + gamma @ items[:, :4].T + theta @ (ready @ weights[:, :4]).T + ready @ weights[:, 4]
    np.testing.assert_allclose(vbpr.read_paper_factors(model).scores(np.arange(60)), scores, rtol=1e-4, atol=1e-5)


def test_scores_are_those_of_the_fork() -> None:
    features = parity_features(90)
    model = model_of("ducho", features)
    gamma, theta = model.users.values.split([8, 8], dim=1)
    seen = torch.nn.functional.linear(
        torch.from_numpy(features), model.visual.weights.values.T, model.visual.offset.values[0]
    )
    scores = gamma @ model.items.values.T + theta @ (seen / seen.norm(dim=1, keepdim=True)).T
    np.testing.assert_allclose(vbpr.read_ducho_factors(model).scores(np.arange(60)), scores, rtol=1e-4, atol=1e-5)


@VARIANTS
@pytest.mark.parametrize("size", [3, 200], ids=["rows gathered", "every item projected"])
def test_the_loss_of_a_batch_is_that_of_the_scores(variant: str, size: int) -> None:
    model = model_of(variant, parity_features(90))
    fitted = vbpr.read_paper_factors if variant == "paper" else vbpr.read_ducho_factors
    scores = fitted(model).scores(np.arange(60)).astype(np.float64)
    random = np.random.default_rng(0)
    user, bought, other = (random.integers(n, size=size) for n in (60, 90, 90))
    loss = model.step(tuple(torch.from_numpy(part) for part in (user, bought, other)), 0.0)
    apart = scores[user, bought] - scores[user, other]
    assert abs(float(loss) - np.log1p(np.exp(-apart)).mean()) < 1e-4


def test_ducho_replays_every_batch_of_the_fork() -> None:
    trace, losses = np.load(TRACE / "trace.npz"), np.loadtxt(TRACE / "losses.txt")

    def weights(when: str) -> list[np.ndarray]:
        user, item, taste, matrix, offset = (
            trace[f"{when}.{name}"] for name in ("Gu.weight", "Gi.weight", "Tu.weight", "proj.weight", "proj.bias")
        )
        return [np.hstack([user, taste]), item, np.ascontiguousarray(matrix.T), offset[None]]

    users, items, matrix, offset = (Adam(torch.from_numpy(part), 0.005) for part in weights("init"))
    features = trace["F"]
    plain = {"centre": np.zeros(features.shape[1], np.float32), "scale": np.ones(features.shape[1], np.float32)}
    model = PairwiseModel(users, items, vbpr.compare_ducho, Visual(all_rows(features), matrix, offset, **plain))
    for number, loss in enumerate(losses, 1):
        batch = tuple(torch.from_numpy(column.copy()) for column in trace[f"batch{number}"].T)
        assert abs(float(model.step(batch, 1e-5)) - loss) <= 1e-6
        if number in (1, 5, len(losses)):
            for table, reference in zip(
                model.parameters, weights(f"step{number}" if number < 6 else "final"), strict=True
            ):
                np.testing.assert_allclose(table.values.numpy(), reference, rtol=0, atol=1e-5)
    assert len(losses) == 25


def test_ducho_starts_from_the_distributions_of_the_fork() -> None:
    trace = np.load(TRACE / "trace.npz")
    own = settings_of(vbpr, variant="ducho", factors=64)
    model = vbpr.new_ducho_model(48, all_rows(trace["F"]), own, RUN)
    gamma, theta = model.users.values.split(64, dim=1)
    assert model.visual is not None
    named = {"Gu": gamma, "Gi": model.items.values, "Tu": theta, "proj": model.visual.weights.values}
    for name, values in named.items():
        theirs = trace[f"init.{name}.weight"]
        assert abs(float(values.std()) / theirs.std() - 1) < 0.05
        assert abs(float(values.abs().max()) / np.abs(theirs).max() - 1) < (0.25 if name == "Tu" else 0.02)


@VARIANTS
def test_features_that_do_not_fit_in_memory_give_the_same_factors(
    variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, features = dataset_of(shop()), all_rows(parity_features(90))
    own = settings_of(vbpr, variant=variant, epochs=3)
    expected = vbpr.fit(data, own, RUN, features)
    monkeypatch.setattr(visual, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(visual, "BLOCK_BYTES", 4 * 6 * 7)  # seven items at once
    factors = vbpr.fit(data, own, RUN, features)
    np.testing.assert_allclose(factors.scores(np.arange(60)), expected.scores(np.arange(60)), rtol=1e-3, atol=1e-3)


def test_an_item_bought_once_is_ranked_by_its_features() -> None:
    """Item 0 has been bought by user 2 alone; the other even users should still want it before any odd item."""
    train = checkerboard().tolil()
    train[:, 0] = 0
    train[2, 0] = 1
    features = np.random.default_rng(0).normal(0, 0.1, (40, 6)).astype(np.float32)
    features[:, 0] += np.arange(40) % 2
    fitted = vbpr.fit(dataset_of(train.tocsr()), settings_of(vbpr), RUN, all_rows(features))
    scores = fitted.scores(np.arange(4, 40, 2))
    assert (scores[:, 0] > scores[:, 1::2].max(1)).mean() > 0.9


def standardised(features: np.ndarray) -> np.ndarray:
    centre, scale = find_standards(all_rows(features), [str(item) for item in range(len(features))])
    return (features - centre) * scale


@pytest.mark.parametrize("scale", [1e-20, 1e-7, 1e6])
def test_standards_do_not_depend_on_the_scale_of_features(scale: float) -> None:
    features = np.random.default_rng(1).normal(1, 1, size=(90, 6)).astype(np.float32)
    features[:, 2] = 7
    features[:, 3] *= 1e-6  # rounding, beside the others
    expected = standardised(features)
    assert not expected[:, 2:4].any()
    np.testing.assert_allclose(standardised((features * scale).astype(np.float32)), expected, atol=1e-6)


def test_standards_are_mean_and_spread_whatever_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    features = (np.random.default_rng(0).normal(size=(90, 6)) * 3 + 400).astype(np.float32)
    expected = (features - features.mean(0)) / features.std(0) / np.sqrt(6)
    np.testing.assert_allclose(standardised(features), expected, atol=1e-4)
    whole = standardised(features)
    monkeypatch.setattr("features.files.BLOCK_BYTES", 4 * 6 * 11)
    np.testing.assert_allclose(standardised(features), whole, atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(scale=st.floats(0.01, 1000), shift=st.floats(-100, 100))
def test_the_extractors_scale_does_not_matter(scale: float, shift: float) -> None:
    features = np.random.default_rng(0).normal(size=(50, 5))
    moved = (features * scale + shift * scale).astype(np.float32)
    np.testing.assert_allclose(standardised(moved), standardised(features.astype(np.float32)), atol=1e-3)


def test_standardised_rows_have_unit_length_on_average_and_constants_vanish() -> None:
    features = np.hstack([parity_features(90), np.full((90, 2), 3.0, np.float32)])
    ready = standardised(features)
    assert abs((ready**2).sum(1).mean() - 1) < 1e-5
    assert (ready[:, -2:] == 0).all()


def test_features_that_are_not_finite_are_counted_and_five_named() -> None:
    features = parity_features(90)
    features[10:20, 2] = np.nan
    with pytest.raises(
        UserError, match="10 of 90 items have features that are not finite, first 10, 11, 12, 13, 14, …;"
    ):
        vbpr.fit(dataset_of(shop()), settings_of(vbpr), RUN, all_rows(features))


def test_another_number_of_features_than_of_items_is_refused() -> None:
    with pytest.raises(UserError, match="89 rows of features for 90 items"):
        vbpr.fit(dataset_of(shop()), settings_of(vbpr), RUN, all_rows(parity_features(89)))


@VARIANTS
def test_projected_items_are_those_of_the_fit_without_their_own_factors(variant: str) -> None:
    """The same features give the same projection; γ and β are 0."""
    features = parity_features(90)
    model = model_of(variant, features)
    fitted = (vbpr.read_paper_factors if variant == "paper" else vbpr.read_ducho_factors)(model)
    vectors, bias = vbpr.project(fitted.learned, all_rows(features))
    own = 4 if variant == "paper" else 8
    assert (vectors[:, :own] == 0).all()
    np.testing.assert_allclose(vectors[:, own:], fitted.item[:, own:], rtol=1e-4, atol=1e-6)
    beta = model.items.values[:, -1].numpy() if variant == "paper" else 0
    np.testing.assert_allclose(bias + beta, fitted.bias, rtol=1e-4, atol=1e-6)
