"""FREEDOM: items without features, new arrivals, what the content changes, and the loss by its formula."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from features.files import all_rows
from recsys.graphs import neighbours
from recsys.graphs.modalities import read_modality
from recsys.graphs.neighbours import find_nearest
from recsys.purchases.dataset import dataset_of
from recsys.ranking.scorers import Factors
from recsys.recommenders import freedom
from tests.recsys.recommenders.contract import (
    RUN,
    ColdBehaviour,
    ModalitiesBehaviour,
    NeighboursBehaviour,
    PersonalBehaviour,
    checkerboard,
    fit_on_features,
    fit_on_rows,
    parity_features,
    pictures_and_words,
    settings_of,
    shop,
)
from tests.recsys.recommenders.test_lightgcn import propagate_slowly


class TestFreedom(PersonalBehaviour, ColdBehaviour):
    module = freedom
    changes: ClassVar[dict[str, object]] = {"neighbours": 5}


@pytest.mark.slow  # its like runs by default
class TestFreedomTrained(PersonalBehaviour, ColdBehaviour):
    module = freedom
    changes: ClassVar[dict[str, object]] = {"features": "trained", "neighbours": 5}

    def lists(self, *arguments: object, **options: object) -> tuple[np.ndarray, np.ndarray]:
        return super().lists(*arguments, **(self.changes | options))


def fit(features: np.ndarray, **changes: object) -> Factors:
    return fit_on_features(freedom, features, **changes)


class TestFreedomFeatures(NeighboursBehaviour, ModalitiesBehaviour):
    module = freedom


@pytest.mark.parametrize("image_weight", [0.1, 0.7])
def test_items_are_the_weighted_mean_by_pictures_and_by_words(image_weight: float) -> None:
    """Of an item that nobody bought e_i is its vector by (layers + 1); an arrival like it has its h_i."""
    rows = pictures_and_words()
    settings = settings_of(freedom, neighbours=4, epochs=2, image_weight=image_weight)
    train = shop().tolil()
    train[:, 80:] = 0
    fitted = freedom.fit(dataset_of(train.tocsr()), settings, RUN, rows)
    values, vectors = rows.take(np.arange(90)), fitted.learned["vectors"]
    near = [find_nearest(all_rows(part), all_rows(part), 4).items for part in (values[:, :4], values[:, 4:])]
    expected = []
    for row in range(80, 90):
        means = [vectors[items[row]].mean(0) for items in near if (items[row] >= 0).any()]
        weights = [image_weight, 1 - image_weight] if len(means) == 2 else [1.0]
        expected.append(sum((weight * mean for weight, mean in zip(weights, means, strict=bool(means))), np.zeros(8)))
    np.testing.assert_allclose(fitted.item[80:] - vectors[80:] / (settings.layers + 1), expected, rtol=1e-4, atol=1e-5)
    arrivals = freedom.project(fitted.learned, all_rows(values[80:])).vectors
    np.testing.assert_allclose(arrivals, expected, rtol=1e-4, atol=1e-5)


def test_the_weight_of_pictures_changes_nothing_for_one_modality() -> None:
    first, second = (fit(parity_features(60), image_weight=weight) for weight in (0.1, 0.9))
    np.testing.assert_array_equal(first.item, second.item)
    assert fit_on_rows(freedom, pictures_and_words(), image_weight=0.9).learned["image_weight"].tolist() == [0.9]


@pytest.mark.parametrize("missing", [[], [4, 9]])
def test_scores_and_loss_are_those_of_the_formulas(missing: list[int]) -> None:
    train, features = shop(), np.random.default_rng(3).normal(size=(90, 6)).astype(np.float32)
    features[missing] = 0
    settings = settings_of(freedom, dropped=0.0, neighbours=4)
    modalities = {"content": read_modality(all_rows(features), 4, "cpu")}
    alike = freedom.mix_graphs(modalities, {"content": 1.0}, "cpu")
    model = freedom.new_model(dataset_of(train), modalities, alike, settings, RUN)
    first = {name: table.values.numpy().astype(np.float64) for name, table in model.tables.items()}
    users, items = propagate_slowly(train.toarray(), first["users"], first["items"], settings.layers)
    nearest = find_nearest(all_rows(features), all_rows(features), 4).items
    for item in range(90):
        if item not in missing:
            items[item] += first["items"][nearest[item]].mean(0)
    found = freedom.read_factors(model, modalities, alike, settings).scores(np.arange(60))
    np.testing.assert_allclose(found, users @ items.T, rtol=1e-4, atol=1e-5)
    random = np.random.default_rng(0)
    user, bought, other = (random.integers(n, size=40) for n in (60, 90, 90))
    bought[:2] = 4
    loss = model.step(tuple(torch.from_numpy(part) for part in (user, bought, other)), 0.5)
    seen = features @ first["content.weights"] + first["content.offset"]
    apart, apart_seen = ((users[user] * (side[bought] - side[other])).sum(1) for side in (items, seen))
    both = ~np.isin(bought, missing) & ~np.isin(other, missing)
    expected = np.log1p(np.exp(-apart)).mean() + 0.5 * np.log1p(np.exp(-apart_seen[both])).mean()
    assert abs(float(loss) - expected) < 1e-6


def test_an_epoch_learns_on_its_part_and_lists_are_made_with_all_purchases() -> None:
    train = shop()
    settings = settings_of(freedom, dropped=0.8)
    modalities = {"content": read_modality(all_rows(parity_features(90)), settings.neighbours, "cpu")}
    alike = freedom.mix_graphs(modalities, {"content": 1.0}, "cpu")
    model = freedom.new_model(dataset_of(train), modalities, alike, settings, RUN)
    sizes, whole = [], model.whole.block.rows.values().numel()
    for epoch in (0, 1):
        model.begin_epoch(RUN.seed, epoch)
        sizes.append(model.graph.block.rows.values().numel())
    assert sizes == [int((1 - settings.dropped) * train.nnz)] * 2
    assert whole == train.nnz


def test_the_rows_of_the_fit_do_not_depend_on_new_arrivals() -> None:
    """An arrival is the mean of its neighbours among the items of the fit; others like it are no neighbours."""
    features = parity_features(60)
    fitted = fit(features)
    arrivals = features[:3] + 1e-3
    vectors, bias = freedom.project(fitted.learned, all_rows(arrivals))
    nearest = find_nearest(all_rows(arrivals), all_rows(features), 10).items
    expected = np.stack([fitted.learned["vectors"][row].mean(0) for row in nearest])
    np.testing.assert_allclose(vectors, expected, rtol=1e-5, atol=1e-6)
    assert not bias.any()


def test_runs_find_the_neighbours_of_arrivals_once_and_have_vectors_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []
    monkeypatch.setattr(neighbours, "_kept_of_others", {})
    random, rows = np.random.default_rng(0), pictures_and_words()
    sources = [rows.take(np.arange(3)) + part for part in (1e-3, 0.5)]
    first = fit_on_rows(freedom, rows).learned
    monkeypatch.setattr(neighbours, "find_nearest", lambda *arguments: calls.append(1) or find_nearest(*arguments))
    for _ in range(3):
        run = {**first, "vectors": random.normal(size=first["vectors"].shape).astype(np.float32)}
        for values in sources:
            nearest = [
                find_nearest(all_rows(part), all_rows(run[f"{name}.features"]), 10).items
                for name, part in zip(("image", "text"), np.split(values, [rows.n_pictures], axis=1), strict=True)
            ]
            weight = run["image_weight"][0]
            expected = sum(
                share * run["vectors"][own].mean(1) for share, own in zip((weight, 1 - weight), nearest, strict=True)
            )
            np.testing.assert_allclose(freedom.project(run, all_rows(values)).vectors, expected, rtol=1e-4, atol=1e-6)
    assert len(calls) == len(sources) * 2  # one by pictures and one by words


def test_content_matters() -> None:
    """With the features of other items, the square that is left on the checkerboard scores lower among new items."""
    train, features = checkerboard(), parity_features(60)
    features[:, 0] = 20 * (np.arange(60) % 2)
    shuffled = features.copy()
    np.random.default_rng(0).shuffle(shuffled[:40])
    own = np.add.outer(np.arange(40), np.arange(40, 60)) % 2 == 0
    higher = []
    for rows in (features, shuffled):
        fitted = freedom.fit(dataset_of(train), settings_of(freedom, neighbours=5), RUN, all_rows(rows[:40]))
        scores = fitted.user @ freedom.project(fitted.learned, all_rows(features[40:])).vectors.T
        higher.append(scores[own].mean() - scores[~own].mean())
    assert higher[0] > 2 * abs(higher[1])
