"""LightGCN: learns what BPR learns, scores by all purchases, and both of its losses."""

from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from pipeline.core.errors import UserError
from recsys.purchases.dataset import dataset_of
from recsys.recommenders import lightgcn, load_cold
from tests.recsys.recommenders.contract import RUN, PersonalBehaviour, settings_of, shop


class TestLightgcn(PersonalBehaviour):
    module = lightgcn


class TestLightgcnMmrec(PersonalBehaviour):
    module = lightgcn
    changes: ClassVar[dict[str, object]] = {"variant": "mmrec"}

    def lists(self, *arguments: object, **options: object) -> tuple[np.ndarray, np.ndarray]:
        return super().lists(*arguments, **(self.changes | options))


def propagate_slowly(train: np.ndarray, users: np.ndarray, items: np.ndarray, layers: int) -> list[np.ndarray]:
    """Sum over the edges one by one, as the paper's formula says."""
    of_users, of_items = train.sum(1) + 1e-7, train.sum(0) + 1e-7
    total = [users.copy(), items.copy()]
    for _ in range(layers):
        new = [np.zeros_like(users), np.zeros_like(items)]
        for user, item in zip(*train.nonzero(), strict=True):
            weight = 1 / np.sqrt(of_users[user] * of_items[item])
            new[0][user] += weight * items[item]
            new[1][item] += weight * users[user]
        users, items = new
        total = [one + other for one, other in zip(total, new, strict=True)]
    return [part / (layers + 1) for part in total]


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("variant", ["paper", "mmrec"])
def test_scores_and_loss_are_those_of_the_formulas(layers: int, variant: str) -> None:
    train = shop()
    settings = settings_of(lightgcn, layers=layers, variant=variant)
    model = lightgcn.new_model(dataset_of(train), settings, RUN)
    first = [table.values.numpy().astype(np.float64) for table in model.parameters]
    users, items = propagate_slowly(train.toarray(), *first, layers)
    np.testing.assert_allclose(
        lightgcn.read_factors(model, layers).scores(np.arange(60)), users @ items.T, rtol=1e-4, atol=1e-6
    )
    random = np.random.default_rng(0)
    user, bought, other = (random.integers(n, size=20) for n in (60, 90, 90))
    loss = model.step(tuple(torch.from_numpy(part) for part in (user, bought, other)), 0.1)
    apart = (users[user] * (items[bought] - items[other])).sum(1)
    rows = [first[0][user], first[1][bought], first[1][other]]
    length = sum((part**2).sum() if variant == "paper" else np.sqrt((part**2).sum()) for part in rows) / 20
    assert abs(float(loss) - (np.log1p(np.exp(-apart)).mean() + 0.1 * length)) < 1e-6


def test_an_item_that_nobody_bought_cannot_be_ranked() -> None:
    with pytest.raises(
        UserError, match=r"lightgcn cannot rank an item that nobody has bought; those that can: .*freedom"
    ):
        load_cold("lightgcn")


def test_a_loss_that_is_no_number_stops_the_fit() -> None:
    """MMRec ends such a training without an error, and reports zeros."""
    settings: Any = settings_of(lightgcn, learning_rate=1e30)
    with pytest.raises(UserError, match=r"lower rec_fit\.lightgcn\.learning_rate"):
        lightgcn.fit(dataset_of(shop()), settings, RUN)
