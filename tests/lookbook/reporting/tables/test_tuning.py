"""Tables of tuning: the choice, the range of the trials, and every trial."""

import json
from pathlib import Path
from typing import Any

import pytest

from lookbook.reporting.tables.tuning import find_edges, trials_table, tuning_table
from tests.helpers.arrivals import write_tuning

GRID = [{"learning_rate": 0.02, "regularisation": 0.01}, {"learning_rate": 0.005, "regularisation": 0.01}]


@pytest.fixture
def tuning(tmp_path: Path) -> dict[tuple[str, str], Any]:
    keys = [("arrivals", "vbpr-sbert"), ("arrivals", "contentknn-sbert"), ("warm", "itemknn")]
    for (experiment, name), grid in zip(keys, (GRID, [], [{"k": 20}, {"k": 50}, {"k": 100}]), strict=True):
        write_tuning(tmp_path, experiment, name, grid)
    return {key: json.loads((tmp_path / f"metrics/tune/{key[0]}/{key[1]}.json").read_text()) for key in keys}


def test_a_row_has_the_choice_and_how_much_it_matters(tuning: Any) -> None:
    table = tuning_table(tuning, 30)
    assert table is not None
    assert table.rows[0] == [
        *(
            "new arrivals",
            "VBPR sbert",
            "learning_rate 0.02, regularisation 0.01, epochs 8",
            "learning_rate highest of 2",
        ),
        *("0.2000", "0.1000", "50 %", "2"),
    ]
    assert [row[-1] for row in table.rows] == ["2", "3"]  # nothing to choose: no row


@pytest.mark.parametrize(
    ("choice", "grid", "epochs", "edges"),
    [
        ({"k": 50}, [20, 50, 100], 30, {}),
        ({"k": 20}, [20, 50, 100], 30, {"k": "lowest of 3"}),
        ({"k": 100}, [20, 100, 50], 30, {"k": "highest of 3"}),
        ({"k": 50}, [50], 30, {}),  # nothing else was tried
        ({"k": "a"}, ["a", "b"], 30, {}),  # names have no order
        ({"k": 50, "epochs": 28}, [20, 50, 100], 30, {}),
        ({"k": 50, "epochs": 30}, [20, 50, 100], 30, {"epochs": "all 30"}),
        ({"k": 20, "epochs": 8}, [20, 50, 100], 8, {"k": "lowest of 3", "epochs": "all 8"}),
    ],
)
def test_an_edge_is_where_nothing_beyond_was_tried(choice: Any, grid: Any, epochs: int, edges: Any) -> None:
    trials = {str(number): choice | {"k": k, "ndcg_12": 0.1} for number, k in enumerate(grid)}
    assert find_edges({"choice": choice, "trials": trials}, epochs) == edges


def test_the_note_counts_the_choices_at_an_edge(tuning: Any) -> None:
    table = tuning_table(tuning, 8)
    assert table is not None
    assert [row[3] for row in table.rows] == ["learning_rate highest of 2, epochs all 8", "k lowest of 3, epochs all 8"]
    assert table.notes[1].startswith("2 of 2 choices lie at an edge: ")
    assert "2 of them, at the limit of 8 epochs" in table.notes[1]
    inside = {
        ("warm", "itemknn"): {"choice": {"k": 2}, "trials": {str(k): {"k": k, "ndcg_12": 0.1} for k in (1, 2, 3)}}
    }
    table = tuning_table(inside, 8)
    assert table is not None
    assert table.notes[1] == "No choice lies at an edge of what was tried."
    inside["warm", "itemknn"]["choice"] = {"k": 1}
    table = tuning_table(inside, 8)
    assert table is not None
    assert "epochs" not in table.notes[1]  # none ran to the limit


def test_the_note_says_whether_all_had_the_same_number_of_trials(tuning: Any) -> None:
    equal, same = "Every recommender and feature set had the same number of trials.", {**tuning}
    same["warm", "itemknn"] = same["arrivals", "vbpr-sbert"]
    for results, sentence in (
        (tuning, "The number of trials differs, from 2 to 3: see the last column."),
        (same, equal),
    ):
        table = tuning_table(results, 30)
        assert table is not None
        assert sentence in table.notes[0]


def test_every_trial_is_listed_and_the_chosen_one_marked(tuning: Any) -> None:
    table = trials_table(tuning)
    assert table is not None
    assert len(table.rows) == len(table.frame) == 5
    assert [row[-1] for row in table.rows if row[1] == "ItemKNN"] == ["0.2000 (chosen)", "0.1000", "0.0667"]
    assert table.frame["chosen"].sum() == 2


def test_a_study_that_tuned_nothing_has_no_tables() -> None:
    nothing = {("warm", "random"): {"choice": {}, "trials": {}, "counts": {}}}
    for tuning in ({}, nothing):
        assert tuning_table(tuning, 30) is trials_table(tuning) is None
