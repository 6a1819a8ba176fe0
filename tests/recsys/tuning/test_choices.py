"""Choices overrule the settings of a fit, as values that those settings would take."""

from pathlib import Path

import pydantic
import pytest

from pipeline.core.errors import UserError
from pipeline.core.outputs import write_json
from recsys.recommenders import bpr
from recsys.tuning.choices import choose, read_choice
from tests.recsys.recommenders.contract import settings_of


def test_a_choice_overrules_the_keys_that_it_names() -> None:
    settings = settings_of(bpr)
    chosen = choose(settings, {"learning_rate": 0.5, "epochs": 7})
    assert isinstance(chosen, bpr.Settings)
    assert (chosen.learning_rate, chosen.epochs, chosen.factors) == (0.5, 7, settings.factors)
    assert choose(settings, {}) == settings
    with pytest.raises(pydantic.ValidationError):
        choose(settings, {"epochs": -1})


def test_a_choice_is_read_from_its_file(tmp_path: Path) -> None:
    write_json(tmp_path / "bpr.json", {"choice": {"epochs": 3}, "trials": {}, "counts": {}})
    assert read_choice(tmp_path / "bpr.json") == {"epochs": 3}
    with pytest.raises(UserError, match=r"vbpr\.json: no such file; run `dvc repro`"):
        read_choice(tmp_path / "vbpr.json")
