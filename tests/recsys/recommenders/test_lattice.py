"""LATTICE: every step as with dense matrices of all pairs, items without features, new arrivals."""

from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from features.files import Rows, all_rows
from recsys.graphs.modalities import read_modalities, read_modality
from recsys.purchases.dataset import dataset_of
from recsys.ranking.scorers import Factors
from recsys.recommenders import lattice
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


class TestLattice(PersonalBehaviour, ColdBehaviour):
    module = lattice
    changes: ClassVar[dict[str, object]] = {"neighbours": 5}


@pytest.mark.slow  # its like runs by default
class TestLatticeMmrec(PersonalBehaviour, ColdBehaviour):
    module = lattice
    changes: ClassVar[dict[str, object]] = {
        "features": "trained",
        "variant": "mmrec",
        "projections": "momentum",
        "neighbours": 5,
    }

    def lists(self, *arguments: object, **options: object) -> tuple[np.ndarray, np.ndarray]:
        return super().lists(*arguments, **(self.changes | options))


def fit(features: np.ndarray, **changes: object) -> Factors:
    return fit_on_features(lattice, features, **changes)


class TestLatticeFeatures(NeighboursBehaviour, ModalitiesBehaviour):
    module = lattice


class Dense:
    """LATTICE with matrices of all pairs, which torch's own optimiser moves, in float64.

    Args:
        train: (n_users, n_items).
        features: of each modality; rows of zeros are missing.
        first: the model's tables.
        settings: the recommender's.
    """

    def __init__(
        self, train: np.ndarray, features: dict[str, np.ndarray], first: dict[str, torch.Tensor], settings: Any
    ) -> None:
        self.settings = settings
        self.tables = {name: values.double().clone().requires_grad_() for name, values in first.items()}
        self.features = {name: torch.from_numpy(rows).double() for name, rows in features.items()}
        self.known = {name: rows.any(1) for name, rows in self.features.items()}
        bought = torch.from_numpy(train).double()
        square = torch.zeros(150, 150, dtype=torch.float64)
        square[:60, 60:], square[60:, :60] = bought, bought.T
        if settings.variant == "mmrec":
            self.purchases = (square + torch.eye(150)) / (square.sum(1, keepdim=True) + 1)
        else:
            root = (square.sum(1) + 1e-7).rsqrt()
            self.purchases = root[:, None] * square * root
        self.epoch_graph = torch.empty(0)

    def nearest(self, rows: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
        unit = torch.nn.functional.normalize(rows)
        similar = (unit @ unit.T).masked_fill(~known[:, None] | ~known, -2)
        kept = torch.zeros_like(similar).scatter(1, similar.topk(self.settings.neighbours).indices, 1)
        return torch.where((kept > 0) & (similar > -2), similar, 0)

    def normal(self, graph: torch.Tensor) -> torch.Tensor:
        degree = graph.sum(1)
        root = torch.where(degree > 0, degree.clamp(min=1e-9).rsqrt(), 0)
        return root[:, None] * graph * root

    def build(self) -> torch.Tensor:
        mix = self.tables["mix"][0].softmax(0)
        learned, raw = 0, 0
        for m, (name, rows) in enumerate(self.features.items()):
            own = self.tables[f"{name}.features"] if self.settings.features == "trained" else rows
            seen = own @ self.tables[f"{name}.weights"] + self.tables[f"{name}.offset"]
            learned = learned + mix[m] * self.nearest(seen, self.known[name])
            raw = raw + mix[m] * self.normal(self.nearest(rows, self.known[name]))
        return (1 - self.settings.frozen) * self.normal(learned) + self.settings.frozen * raw

    def vectors(self, graph: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        layers = [torch.cat([self.tables["users"], self.tables["items"]])]
        for _ in range(self.settings.layers):
            layers.append(self.purchases @ layers[-1])
        users, items = torch.stack(layers).mean(0).split([60, 90])
        return users, items + torch.nn.functional.normalize(graph @ self.tables["items"])

    def loss(self, batch: tuple[torch.Tensor, ...], first: bool, regularisation: float) -> torch.Tensor:
        if first:
            graph = self.build()
            self.epoch_graph = graph.detach()
        else:
            graph = self.epoch_graph
        users, items = self.vectors(graph)
        scored = [users[batch[0]], items[batch[1]], items[batch[2]]]
        learned = [self.tables["users"][batch[0]], self.tables["items"][batch[1]], self.tables["items"][batch[2]]]
        if self.settings.variant == "mmrec":
            length = sum(part.square().sum() for part in scored) / 2 / self.settings.batch_size
        else:
            length = sum(part.square().sum() for part in learned) / len(batch[0])
        apart = (scored[0] * (scored[1] - scored[2])).sum(1)
        return torch.nn.functional.softplus(-apart).mean() + regularisation * length


@pytest.mark.parametrize("variant", ["paper", "mmrec"])
@pytest.mark.parametrize("trained", ["fixed", "trained"])
@pytest.mark.parametrize("projections", ["still", "momentum"])
def test_every_step_is_that_of_dense_matrices(variant: str, trained: str, projections: str) -> None:
    """Of two modalities, items 4 and 9 without the text, and 9 without the picture: 2 epochs of 2 steps."""
    train, random = shop(), np.random.default_rng(3)
    features = {name: random.normal(size=(90, 6)).astype(np.float32) for name in ("image", "text")}
    features["text"][[4, 9]] = 0
    features["image"][9] = 0
    settings = settings_of(
        lattice, variant=variant, features=trained, projections=projections, neighbours=4, frozen=0.6, decay=1.0
    )
    modalities = {name: read_modality(all_rows(rows), 4, "cpu") for name, rows in features.items()}
    raw = lattice.build_raw(modalities, "cpu")
    model = lattice.new_model(dataset_of(train), modalities, raw, settings, RUN)
    dense = Dense(train.toarray(), features, model.read_tables(), settings)
    optimiser = torch.optim.Adam(dense.tables.values(), settings.learning_rate)
    for epoch in range(2):
        model.begin_epoch(RUN.seed, epoch)
        for step in range(2):
            batch = tuple(torch.from_numpy(random.integers(n, size=40)) for n in (60, 90, 90))
            expected = dense.loss(batch, step == 0, 0.5)
            optimiser.zero_grad(set_to_none=projections == "still")
            expected.backward()
            optimiser.step()
            assert float(model.step(batch, 0.5)) == pytest.approx(float(expected.detach()), abs=1e-5)  # type: ignore[arg-type]
    for name, values in model.read_tables().items():
        torch.testing.assert_close(values.double(), dense.tables[name].detach(), rtol=0, atol=1e-3)
    found = lattice.read_factors(model, modalities, raw, settings)
    users, items = dense.vectors(dense.build())
    np.testing.assert_allclose(found.user @ found.item.T, (users @ items.T).detach(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("features", [all_rows(parity_features(90)), pictures_and_words()], ids=["one", "two"])
def test_an_arrival_like_an_item_of_the_fit_has_its_graph(features: Rows) -> None:
    """Its neighbours are those of that item, which count as before; it has no e."""
    data, settings = dataset_of(shop()), settings_of(lattice, epochs=3, neighbours=4)
    modalities = read_modalities(features, 4, "cpu")
    raw = lattice.build_raw(modalities, "cpu")
    model = lattice.new_model(data, modalities, raw, settings, RUN)
    fitted = lattice.read_factors(model, modalities, raw, settings)
    edges = lattice.build_edges(model.read_tables(), modalities, raw, settings)
    moved = torch.nn.functional.normalize(
        (edges.values[..., None] * model.tables["items"].values[edges.columns]).sum(1)
    ).numpy()
    places = np.array([0, 1, 2, 3, 4, 9, 82])  # of two modalities three lack one or both
    vectors, bias = lattice.project(fitted.learned, all_rows(features.take(places)))
    np.testing.assert_allclose(vectors, moved[places], rtol=1e-3, atol=1e-5)
    assert not bias.any()
