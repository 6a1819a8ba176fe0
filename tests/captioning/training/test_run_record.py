"""The run record: figures are metrics of DVC, facts are not."""

import json
from pathlib import Path

from captioning.training.run_record import write_run_record


def test_facts_stand_in_a_list_that_dvc_reads_as_no_metric(tmp_path: Path) -> None:
    write_run_record(tmp_path / "a.json", {"loss": 0.5, "model_class": "X", "parameters": 3, "seconds": 2.0})
    assert json.loads((tmp_path / "a.json").read_text()) == {
        "loss": 0.5,
        "seconds": 2.0,
        "facts": [{"model_class": "X", "parameters": 3}],
    }


def test_a_record_without_facts_has_no_such_list(tmp_path: Path) -> None:
    write_run_record(tmp_path / "a.json", {"epochs": 0})
    assert json.loads((tmp_path / "a.json").read_text()) == {"epochs": 0}
