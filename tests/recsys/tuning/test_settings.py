"""Grids: lists of values for the keys of a recommender, and every combination of them."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import UserError
from pipeline.core.params import REFERENCE, load, read
from pipeline.names import allowed_names, build_grid, with_sections
from recsys import tune
from recsys.recommenders import bpr, itemknn
from recsys.tuning.settings import list_cells


def test_every_combination_is_tried_and_keys_without_values_are_left_out() -> None:
    grid = build_grid(bpr.Settings)(learning_rate=[0.1, 0.2], factors=[4, 8, 16])  # type: ignore[call-arg]
    assert list_cells(grid) == [
        {"factors": factors, "learning_rate": rate} for factors in (4, 8, 16) for rate in (0.1, 0.2)
    ]
    assert list_cells(build_grid(bpr.Settings)()) == [{}]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"k": [5, "ten"]}, r"rec_tune\.itemknn\.k\.1: 'ten' is not allowed"),
        ({"k": [5, 0]}, r"rec_tune\.itemknn\.k\.1: 0 is not allowed"),
        ({"k": 5}, r"rec_tune\.itemknn\.k: 5 is not allowed; input should be a valid list"),
        ({"neighbourhood": ["elliott"]}, "did you mean elliot"),
        ({"kk": [5]}, r"rec_tune\.itemknn\.kk: unknown key; did you mean k\?"),
    ],
)
def test_values_that_the_recommender_would_not_take_are_refused(tmp_path: Path, values: Any, message: str) -> None:
    from ruamel.yaml import YAML

    params = load(REFERENCE)
    params["rec_tune"]["itemknn"] = values
    with open(tmp_path / "params.yaml", "w", encoding="utf-8") as file:
        YAML().dump(params, file)
    with pytest.raises(UserError, match=message):
        read(with_sections(tune.Params, ["itemknn"]), tmp_path / "params.yaml")


def test_the_sample_tries_four_cells_at_most() -> None:
    params = read(with_sections(tune.Params), REFERENCE)
    numbers = {name: len(list_cells(getattr(params.rec_tune, name))) for name in allowed_names("recsys/recommenders")}
    assert max(numbers.values()) <= 4
    assert numbers["bpr"] == numbers["vbpr"] > 1
    assert numbers["userknn"] == numbers["itemknn"] > 1
    assert set(itemknn.Settings.model_fields) >= {"k"}
