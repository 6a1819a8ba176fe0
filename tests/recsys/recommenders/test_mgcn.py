"""MGCN: scores and losses by their formulas, items without features, new arrivals."""

from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from features.files import all_rows
from recsys.graphs.modalities import Modality, read_modalities, read_modality
from recsys.graphs.neighbours import find_nearest
from recsys.purchases.dataset import dataset_of
from recsys.ranking.scorers import Factors
from recsys.recommenders import mgcn
from tests.recsys.recommenders.contract import (
    RUN,
    ColdBehaviour,
    ModalitiesBehaviour,
    NeighboursBehaviour,
    PersonalBehaviour,
    fit_on_features,
    parity_features,
    pictures_and_words,
    settings_of,
    shop,
)
from tests.recsys.recommenders.test_lightgcn import propagate_slowly


class TestMgcn(PersonalBehaviour, ColdBehaviour):
    module = mgcn
    changes: ClassVar[dict[str, object]] = {"neighbours": 5}


@pytest.mark.slow  # its like runs by default
class TestMgcnMmrec(PersonalBehaviour, ColdBehaviour):
    module = mgcn
    changes: ClassVar[dict[str, object]] = {"features": "trained", "variant": "mmrec", "neighbours": 5}

    def lists(self, *arguments: object, **options: object) -> tuple[np.ndarray, np.ndarray]:
        return super().lists(*arguments, **(self.changes | options))


def fit(features: np.ndarray, **changes: object) -> Factors:
    return fit_on_features(mgcn, features, **changes)


class TestMgcnFeatures(NeighboursBehaviour, ModalitiesBehaviour):
    module = mgcn


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


class Slow:
    """MGCN by its formulas, item by item and pair by pair, in float64.

    Args:
        train: (n_users, n_items).
        features: of each modality; rows of zeros are missing.
        first: the model's tables.
        settings: the recommender's.
    """

    def __init__(
        self, train: np.ndarray, features: dict[str, np.ndarray], first: dict[str, np.ndarray], settings: Any
    ) -> None:
        self.features, self.first, self.settings = features, first, settings
        self.content = propagate_slowly(train, first["users"], first["items"], settings.layers)
        of_users, of_items = (np.maximum(train.sum(axis), 1) for axis in (1, 0))
        to_users = train / np.sqrt(np.outer(of_users, of_items))
        parts: list[list[np.ndarray]] = [[], []]
        known: list[list[np.ndarray]] = [[], []]
        for name, rows in features.items():
            gate = sigmoid(self.layer(f"{name}.gate", self.layer(name, rows)))
            seen = self.graph(rows) @ (first["items"] * gate)
            for side, part in enumerate((to_users @ seen, seen)):
                parts[side].append(part)
            known[0].append(np.ones(len(train), dtype=bool))
            known[1].append(rows.any(1))
        self.side = [
            np.stack(
                [
                    self.fuse([p[row] for p in parts[k]], self.content[k][row], [o[row] for o in known[k]])
                    for row in range(n)
                ]
            )
            for k, n in enumerate(train.shape)
        ]
        self.vectors = [e + s for e, s in zip(self.content, self.side, strict=True)]

    def layer(self, name: str, rows: np.ndarray) -> np.ndarray:
        return rows @ self.first[f"{name}.weights"] + self.first.get(f"{name}.offset", 0)

    def graph(self, rows: np.ndarray) -> np.ndarray:
        nearest = find_nearest(all_rows(rows), all_rows(rows), self.settings.neighbours)
        graph = np.zeros((len(rows), len(rows)))
        for row, (items, similar) in enumerate(zip(nearest.items, nearest.similarities, strict=True)):
            graph[row, items[items >= 0]] = similar[items >= 0]
        degree = graph.sum(1)
        root = np.array([0 if total <= 0 else total**-0.5 for total in degree])
        return root[:, None] * graph * root

    def fuse(self, parts: list[np.ndarray], content: np.ndarray, known: list[bool]) -> np.ndarray:
        """Return s of one row: the modalities that it has, and no other."""
        names = [name for name, own in zip(self.features, known, strict=True) if own]
        if not names:
            return np.zeros_like(content)
        parts = [part for part, own in zip(parts, known, strict=True) if own]
        asked = np.exp(
            [float(self.layer("answer", np.tanh(self.layer("query", part)))[..., 0].sum()) for part in parts]
        )
        common = sum(weight * part for weight, part in zip(asked / asked.sum(), parts, strict=True))
        apart = [
            sigmoid(self.layer(f"{name}.prefer", content[None])[0]) * (part - common)
            for name, part in zip(names, parts, strict=True)
        ]
        if self.settings.variant == "mmrec":
            return (common + sum(apart)) / (1 + len(known))
        return common + sum(apart) / len(names)

    def contrast(self, side: int, rows: np.ndarray) -> float:
        one, other = (
            part[rows] / np.maximum(np.linalg.norm(part[rows], axis=1, keepdims=True), 1e-12)
            for part in (self.side[side], self.content[side])
        )
        similar = np.exp(one @ other.T / 0.2)
        return float(-np.log(similar.diagonal() / similar.sum(1)).mean())

    def loss(self, user: np.ndarray, bought: np.ndarray, other: np.ndarray, regularisation: float) -> float:
        scored = [self.vectors[0][user], self.vectors[1][bought], self.vectors[1][other]]
        learned = [self.first["users"][user], self.first["items"][bought], self.first["items"][other]]
        apart = (scored[0] * (scored[1] - scored[2])).sum(1)
        if self.settings.variant == "mmrec":
            length = sum((part**2).sum() for part in scored) / 2 / self.settings.batch_size
        else:
            length = sum((part**2).sum() for part in learned) / len(user)
        contrast = self.contrast(1, bought) + self.contrast(0, user)
        return float(np.log1p(np.exp(-apart)).mean() + regularisation * length + self.settings.contrast * contrast)


@pytest.mark.parametrize("variant", ["paper", "mmrec"])
@pytest.mark.parametrize("names", [["content"], ["image", "text"]])
def test_scores_and_loss_are_those_of_the_formulas(variant: str, names: list[str]) -> None:
    """Of one modality and of two, items 4 and 9 without the last, and 9 without any."""
    train, random = shop(), np.random.default_rng(3)
    features = {name: random.normal(size=(90, 6)).astype(np.float32) for name in names}
    features[names[-1]][[4, 9]] = 0
    features[names[0]][9] = 0
    settings = settings_of(mgcn, variant=variant, neighbours=4, contrast=0.3)
    modalities: dict[str, Modality] = {name: read_modality(all_rows(rows), 4, "cpu") for name, rows in features.items()}
    alike = mgcn.build_graphs(modalities, "cpu")
    model = mgcn.new_model(dataset_of(train), modalities, alike, settings, RUN)
    first = {name: table.values.numpy().astype(np.float64) for name, table in model.tables.items()}
    slow = Slow(train.toarray(), features, first, settings)
    found = mgcn.read_factors(model, modalities, alike, settings).scores(np.arange(60))
    np.testing.assert_allclose(found, slow.vectors[0] @ slow.vectors[1].T, rtol=1e-4, atol=1e-5)
    user, bought, other = (random.integers(n, size=40) for n in (60, 90, 90))
    bought[:2] = 4
    loss = model.step(tuple(torch.from_numpy(part) for part in (user, bought, other)), 0.5)
    assert float(loss) == pytest.approx(slow.loss(user, bought, other, 0.5), abs=1e-5)


def test_the_learning_rate_decays() -> None:
    modalities = {"content": read_modality(all_rows(parity_features(90)), 5, "cpu")}
    settings = settings_of(mgcn, learning_rate=0.1, decay=0.5)
    model = mgcn.new_model(dataset_of(shop()), modalities, mgcn.build_graphs(modalities, "cpu"), settings, RUN)
    for epoch, expected in ((0, 0.1), (50, 0.05), (75, 0.1 * 0.5**1.5), (0, 0.1)):
        model.begin_epoch(RUN.seed, epoch)
        assert [table.learning_rate for table in model.parameters] == pytest.approx([expected] * len(model.parameters))


def test_an_arrival_like_an_item_of_the_fit_has_the_same_neighbours() -> None:
    features = parity_features(60)
    fitted = fit(features)
    vectors, bias = mgcn.project(fitted.learned, all_rows(features[:3]))
    own = {name: values.astype(np.float64) for name, values in fitted.learned.items()}
    nearest = find_nearest(all_rows(features[:3]), all_rows(features), 10)
    for row, (items, similar) in enumerate(zip(nearest.items, nearest.similarities, strict=True)):
        weight = similar / np.sqrt(similar.sum() * own["content.degrees"][items])
        np.testing.assert_allclose(vectors[row], weight @ own["content.vectors"][items], rtol=1e-4, atol=1e-6)
    assert not bias.any()


@pytest.mark.parametrize("variant", ["paper", "mmrec"])
def test_an_arrival_is_fused_of_the_modalities_that_it_has(variant: str) -> None:
    """As an item of the fit, but for e, which is 0."""
    rows, settings = pictures_and_words(), settings_of(mgcn, variant=variant, neighbours=4, epochs=3)
    modalities = read_modalities(rows, 4, "cpu")
    alike = mgcn.build_graphs(modalities, "cpu")
    model = mgcn.new_model(dataset_of(shop()), modalities, alike, settings, RUN)
    learned = mgcn.read_factors(model, modalities, alike, settings).learned
    values = rows.take(np.arange(90))
    features = {"image": values[:, :4], "text": values[:, 4:]}
    first = {name: table.values.numpy().astype(np.float64) for name, table in model.tables.items()}
    slow = Slow(shop().toarray(), features, first, settings)
    seen = [
        slow.graph(part) @ (first["items"] * sigmoid(slow.layer(f"{name}.gate", slow.layer(name, part))))
        for name, part in features.items()
    ]
    known = [part.any(1) for part in features.values()]
    places = np.array([0, 1, 4, 9, 82])
    expected = [slow.fuse([part[row] for part in seen], np.zeros(8), [own[row] for own in known]) for row in places]
    vectors, bias = mgcn.project(learned, all_rows(values[places]))
    np.testing.assert_allclose(vectors, expected, rtol=1e-3, atol=1e-5)
    assert not bias.any()
