"""`lookbook grid`: a table of the cells, on the screen and as CSV, and a queue of the rest."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from lookbook.cli.main import app
from lookbook.workspace import grid
from lookbook.workspace.grid import Cell

ROOT = Path(__file__).parents[3]
PARAMS = {"lr": 0.0005, "batch_size": 16, "captions": "ft", "captioners": {"a": {}}}


def experiment(name: str, changed: dict[str, Any], state: str | None) -> dict[str, Any]:
    """Return what `dvc exp show --json` prints: no metrics if queued, those of the commit if running or failed."""
    data: dict[str, Any] = {"params": {"params.yaml": {"data": {**PARAMS, **changed}}}}
    if state != "queued":
        data["metrics"] = {"metrics/train/a.json": {"data": {"validation_loss": 0.3}}}
    executor = {"state": state, "name": "dvc-task"} if state else None
    return {"name": name, "executor": executor, "revs": [{"name": name, "rev": 40 * "0", "data": data}]}


STATES: list[dict[str, Any]] = [
    {"rev": "workspace", "data": None, "experiments": None},
    {
        "rev": 40 * "1",
        "experiments": [
            experiment("works", {"lr": 1.0}, "running"),
            experiment("ended", {"lr": 2.0}, "success"),
            experiment("pulled", {"lr": 3.0}, None),
            experiment("waits", {"lr": 4.0}, "queued"),
            experiment("broke", {"lr": 5.0}, "failed"),
        ],
    },
]


@pytest.fixture
def queued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Cell]:
    """Write a grid, replace what DVC prints, and collect the cells that would be queued."""
    cells: list[Cell] = []
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(json.dumps(PARAMS))
    (tmp_path / "grid.yaml").write_text("lr: [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]")
    monkeypatch.setattr(grid, "_dvc", lambda *words: json.dumps(STATES))
    monkeypatch.setattr(grid, "queue_cells", lambda chosen, targets: cells.extend(chosen))
    return cells


def test_cells_that_have_not_run_and_are_not_queued_are_queued(queued: list[Cell]) -> None:
    ended = CliRunner().invoke(app, ["grid", "grid.yaml", "--queue"])
    assert [cell["lr"] for cell in queued] == [5.0, 6.0]
    assert "2 of 6 cells queued" in ended.stdout
    assert "2 were queued or running already; see them with: dvc queue status" in ended.stdout


def test_the_table_marks_what_is_queued_or_running(queued: list[Cell]) -> None:
    shown = CliRunner().invoke(app, ["grid", "grid.yaml", "--csv", "grid.csv"]).stdout
    assert "2 of 6 cells have run, 2 queued or running" in shown
    assert "a cell is one training run" in shown
    assert "works, running" in shown
    assert "waits, queued" in shown
    assert "broke" not in shown
    frame = pd.read_csv("grid.csv", keep_default_na=False)
    assert frame["experiment"].tolist() == ["works", "ended", "pulled", "waits", "", ""]
    assert frame["waiting"].tolist() == ["running", "", "", "queued", "", ""]
    assert frame["validation_loss"].tolist() == ["", "0.3", "0.3", "", "", ""]


def test_the_grid_is_a_table_for_papers(queued: list[Cell]) -> None:
    shown = CliRunner().invoke(app, ["table", "grid", "--cells", "grid.yaml", "--format", "markdown"])
    assert shown.exit_code == 0, shown.output
    assert "| Captioner | lr | Experiment | Validation loss |" in shown.stdout
    assert "| a | 2.0 | ended | 0.3 | n/a |" in shown.stdout
    assert "| a | 4.0 | waits, queued | n/a |" in shown.stdout
    assert "Lowest validation loss of a: 2.0." in shown.stdout
    assert r"\begin{tabular}" in CliRunner().invoke(app, ["table", "grid", "--cells", "grid.yaml"]).stdout
    missing = CliRunner().invoke(app, ["table", "grid", "--cells", "none.yaml"])
    assert "none.yaml: no such file" in missing.stderr


@pytest.mark.slow
def test_the_command_reads_this_repository(tmp_path: Path) -> None:
    out = tmp_path / "grid.csv"
    words = ["-m", "lookbook.cli.main", "grid", "--captioner", "tiny-llava", "--csv", str(out)]
    result = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "of 16 cells have run" in result.stdout
    assert len(out.read_text().splitlines()) == 17
