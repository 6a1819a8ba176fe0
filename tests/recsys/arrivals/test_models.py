"""Models as files: users are read in parts, and a model of other purchases is refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.core.errors import UserError
from recsys.arrivals.models import list_runs, open_model, run_file, validation_file, write_model
from recsys.purchases.dataset import dataset_of
from recsys.ranking.scorers import Factors
from tests.recsys.recommenders.contract import shop

DATA = dataset_of(shop())


def draw_factors() -> Factors:
    random = np.random.default_rng(0)
    user, item, bias = (random.normal(size=size).astype(np.float32) for size in ((60, 4), (90, 4), 90))
    return Factors(user, item, bias, {"weights": item[:3], "centre": bias[:4]})


def test_a_model_is_read_as_it_was_written(tmp_path: Path) -> None:
    factors, path = draw_factors(), tmp_path / "run-0.safetensors"
    write_model(path, factors, DATA)
    with open_model(path, DATA) as model:
        assert model.n_users == 60
        for rows in (np.arange(60), np.array([3, 4, 59]), np.array([7]), np.array([], dtype=np.int64)):
            np.testing.assert_array_equal(model.read_users(rows), factors.user[rows])
        np.testing.assert_array_equal(model.items.vectors, factors.item)
        np.testing.assert_array_equal(model.items.bias, factors.bias)
        assert sorted(model.learned) == ["centre", "weights"]
        np.testing.assert_array_equal(model.learned["weights"], factors.learned["weights"])


@pytest.mark.parametrize("name", ["users", "items"])
def test_a_model_of_other_users_or_items_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "run-0.safetensors"
    write_model(path, draw_factors(), DATA)
    other = replace(DATA, **{name: getattr(DATA, name) + 1})
    with pytest.raises(UserError, match=f"fitted on other {name} than data/interactions has"), open_model(path, other):
        pass


def test_runs_are_listed_by_number(tmp_path: Path) -> None:
    for number in (10, 2, 0):
        run_file(tmp_path, number).touch()
    validation_file(tmp_path).touch()
    assert list_runs(tmp_path) == [0, 2, 10]
