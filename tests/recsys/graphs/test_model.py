"""A model on a graph moves as torch.optim.Adam does, and starts from values of its seed."""

import pytest
import torch

from recsys.graphs.model import GraphModel, compare_pairs, draw_uniform, draw_xavier
from recsys.graphs.purchases import Purchases
from recsys.pairwise.adam import Adam
from tests.recsys.recommenders.contract import shop


def test_steps_are_those_of_adam_over_all_rows() -> None:
    """Rows that no batch reads move on by their momentum, too."""
    first = {"users": draw_xavier(60, 4, 1, 0, "cpu"), "items": draw_xavier(90, 4, 1, 1, "cpu")}

    def compute_loss(leaves: dict, graph: Purchases, batch: tuple, regularisation: float) -> torch.Tensor:
        users, items = graph.average_layers(leaves["users"], leaves["items"], 1)
        user, bought, other = batch
        return compare_pairs(users[user], items[bought], items[other]).mean() + regularisation * leaves["users"].norm()

    graph = Purchases(shop(), "cpu")
    model = GraphModel({name: Adam(values.clone(), 0.05) for name, values in first.items()}, graph, compute_loss)
    plain = {name: values.clone().requires_grad_() for name, values in first.items()}
    optimiser = torch.optim.Adam(plain.values(), 0.05)
    random = torch.Generator().manual_seed(0)
    for _ in range(6):
        batch = tuple(torch.randint(n, (8,), generator=random) for n in (60, 90, 90))
        loss = compute_loss(plain, graph, batch, 0.1)
        assert float(model.step(batch, 0.1)) == pytest.approx(float(loss.detach()), abs=1e-6)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    for name, values in model.read_tables().items():
        torch.testing.assert_close(values, plain[name].detach(), rtol=0, atol=1e-5)


def test_first_values_have_their_bound_and_depend_on_seed_and_stream_alone() -> None:
    values = draw_xavier(500, 100, 3, 1, "cpu")
    assert 0.099 < float(values.abs().max()) <= 0.1  # √(6 / 600)
    assert float(values.mean()) == pytest.approx(0, abs=1e-3)
    assert torch.equal(values, draw_uniform(500, 100, 0.1, 3, 1, "cpu"))
    assert not torch.equal(values, draw_xavier(500, 100, 3, 2, "cpu"))
    assert not torch.equal(values, draw_xavier(500, 100, 4, 1, "cpu"))
