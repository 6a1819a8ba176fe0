"""Tables of tuning: the choice, the range of the trials, and every trial."""

import json
from pathlib import Path
from typing import Any

import pytest

from lookbook.reporting.tables.tuning import trials_table, tuning_table
from tests.helpers.arrivals import write_tuning

GRID = [{"learning_rate": 0.02, "regularisation": 0.01}, {"learning_rate": 0.005, "regularisation": 0.01}]


@pytest.fixture
def tuning(tmp_path: Path) -> dict[tuple[str, str], Any]:
    keys = [("arrivals", "vbpr-sbert"), ("arrivals", "contentknn-sbert"), ("warm", "itemknn")]
    for (experiment, name), grid in zip(keys, (GRID, [], [{"k": 20}, {"k": 50}, {"k": 100}]), strict=True):
        write_tuning(tmp_path, experiment, name, grid)
    return {key: json.loads((tmp_path / f"metrics/tune/{key[0]}/{key[1]}.json").read_text()) for key in keys}


def test_a_row_has_the_choice_and_how_much_it_matters(tuning: Any) -> None:
    table = tuning_table(tuning)
    assert table is not None
    assert table.rows[0] == [
        *("new arrivals", "VBPR sbert", "learning_rate 0.02, regularisation 0.01, epochs 8"),
        *("0.2000", "0.1000", "50 %", "2"),
    ]
    assert [row[-1] for row in table.rows] == ["2", "3"]  # nothing to choose: no row


def test_every_trial_is_listed_and_the_chosen_one_marked(tuning: Any) -> None:
    table = trials_table(tuning)
    assert table is not None
    assert len(table.rows) == len(table.frame) == 5
    assert [row[-1] for row in table.rows if row[1] == "ItemKNN"] == ["0.2000 (chosen)", "0.1000", "0.0667"]
    assert table.frame["chosen"].sum() == 2


def test_a_study_that_tuned_nothing_has_no_tables() -> None:
    nothing = {("warm", "random"): {"choice": {}, "trials": {}, "counts": {}}}
    for tuning in ({}, nothing):
        assert tuning_table(tuning) is trials_table(tuning) is None
