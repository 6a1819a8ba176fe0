"""BM3: the losses by their formulas, what is dropped, items without features, new arrivals."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from features.files import all_rows
from recsys.graphs.modalities import read_features
from recsys.purchases.dataset import dataset_of
from recsys.ranking.scorers import Factors
from recsys.recommenders import bm3
from tests.recsys.recommenders.contract import (
    RUN,
    ColdBehaviour,
    FeaturesBehaviour,
    ModalitiesBehaviour,
    PersonalBehaviour,
    fit_on_features,
    fit_on_rows,
    parity_features,
    pictures_and_words,
    settings_of,
    shop,
)
from tests.recsys.recommenders.test_lightgcn import propagate_slowly


class TestBm3(PersonalBehaviour, ColdBehaviour):
    module = bm3


@pytest.mark.slow  # its like runs by default
class TestBm3Mmrec(PersonalBehaviour, ColdBehaviour):
    module = bm3
    changes: ClassVar[dict[str, object]] = {"variant": "mmrec", "features": "trained", "content": 2.0}

    def lists(self, *arguments: object, **options: object) -> tuple[np.ndarray, np.ndarray]:
        return super().lists(*arguments, **(self.changes | options))


def fit(features: np.ndarray, **changes: object) -> Factors:
    return fit_on_features(bm3, features, **changes)


class TestBm3Features(FeaturesBehaviour, ModalitiesBehaviour):
    module = bm3


def cosine(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return (first * second).sum(-1) / (np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1))


@pytest.mark.parametrize("variant", ["paper", "mmrec"])
@pytest.mark.parametrize("missing", [[], [4, 9]])
def test_scores_and_loss_are_those_of_the_formulas(variant: str, missing: list[int]) -> None:
    train, features = shop(), np.random.default_rng(3).normal(size=(90, 6)).astype(np.float32)
    features[missing] = 0
    settings = settings_of(bm3, variant=variant, content=1.5)
    random = np.random.default_rng(0)
    masks = {name: random.random((n, 8)) + 0.5 for name, n in (("users", 60), ("items", 90), ("content", 90))}
    modalities = {"content": read_features(all_rows(features), "cpu")}
    model = bm3.new_model(
        dataset_of(train), modalities, settings, RUN, lambda name, rows: torch.from_numpy(masks[name][rows])
    )
    first = {name: table.values.numpy().astype(np.float64) for name, table in model.tables.items()}
    users, items = propagate_slowly(train.toarray(), first["users"], first["items"], settings.layers)
    items = items + first["items"]

    def predict(rows: np.ndarray) -> np.ndarray:
        return rows @ first["predictor.weights"] + first["predictor.offset"]

    found = bm3.read_factors(model, settings).scores(np.arange(60))
    np.testing.assert_allclose(found, predict(users) @ predict(items).T, rtol=1e-4, atol=1e-5)
    user, bought, other = (random.integers(n, size=40) for n in (60, 90, 90))
    bought[:2] = 4
    loss = model.step(tuple(torch.from_numpy(part) for part in (user, bought, other)), 0.5)
    seen = features @ first["content.weights"] + first["content.offset"]
    target = {"users": users * masks["users"], "items": items * masks["items"], "content": seen * masks["content"]}
    expected = 2 - cosine(predict(users)[user], target["items"][bought]).mean()
    expected -= cosine(predict(items)[bought], target["users"][user]).mean()
    known = bought[~np.isin(bought, missing)]
    for name in ("items", "content"):
        expected += 1.5 * (1 - cosine(predict(seen)[known], target[name][known]).mean())
    if variant == "paper":
        expected += 0.5 * ((users[user] ** 2).sum(1).mean() + (items[bought] ** 2).sum(1).mean())
    else:
        expected += 0.5 * (np.linalg.norm(users) + np.linalg.norm(items)) / 90
    assert abs(float(loss) - expected) < 1e-5


def test_values_are_dropped_by_their_share_anew_in_every_step() -> None:
    first = bm3.drop_values((500, 100), 0.3, (1, 2, 3), "cpu")
    assert float((first == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert first.unique().tolist() == pytest.approx([0, 1 / 0.7])
    assert torch.equal(first, bm3.drop_values((500, 100), 0.3, (1, 2, 3), "cpu"))
    assert not torch.equal(first, bm3.drop_values((500, 100), 0.3, (1, 3, 3), "cpu"))
    assert (bm3.drop_values((5, 4), 0.0, (1,), "cpu") == 1).all()


def test_a_fitted_model_gives_the_same_scores_every_time() -> None:
    """Nothing is drawn where lists are made."""
    settings = settings_of(bm3)
    modalities = {"content": read_features(all_rows(parity_features(90)), "cpu")}
    model = bm3.new_model(dataset_of(shop()), modalities, settings, RUN)
    first, second = (bm3.read_factors(model, settings).scores(np.arange(60)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_an_arrival_is_the_projection_of_its_features_with_the_length_of_the_fits_items() -> None:
    features = parity_features(60)
    fitted = fit(features)
    arrivals = np.vstack([features[:3] + 1e-3, np.zeros((1, 6), np.float32)])
    vectors, bias = bm3.project(fitted.learned, all_rows(arrivals))
    seen = arrivals @ fitted.learned["content.weights"] + fitted.learned["content.offset"]
    seen = seen @ fitted.learned["predictor.weights"] + fitted.learned["predictor.offset"]
    np.testing.assert_allclose(cosine(vectors[:3], seen[:3]), 1, rtol=1e-5)
    np.testing.assert_allclose(
        np.linalg.norm(vectors[:3], axis=1), np.linalg.norm(fitted.item, axis=1).mean(), rtol=1e-5
    )
    assert not vectors[3].any()  # an arrival without features has no score
    assert not bias.any()


def test_an_arrival_of_two_modalities_points_between_their_projections() -> None:
    rows = pictures_and_words()
    fitted = fit_on_rows(bm3, rows)
    values, learned = rows.take(np.array([0, 1, 4, 9])), fitted.learned
    vectors, _ = bm3.project(learned, all_rows(values))
    total = np.zeros((4, 8))
    for name, part in (("image", values[:, :4]), ("text", values[:, 4:])):
        seen = part @ learned[f"{name}.weights"] + learned[f"{name}.offset"]
        seen = seen @ learned["predictor.weights"] + learned["predictor.offset"]
        total += seen / np.linalg.norm(seen, axis=1, keepdims=True) * part.any(1, keepdims=True)
    np.testing.assert_allclose(cosine(vectors, total), 1, rtol=1e-5)
    length = np.linalg.norm(fitted.item, axis=1).mean()
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), length, rtol=1e-5)
