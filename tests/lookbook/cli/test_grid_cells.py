"""`lookbook grid` queues two cells, DVC runs them, and the table shows them: a small study in a clone."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.helpers.full import full

ROOT = Path(__file__).parents[3]
CAPTIONER = "tiny-blip2-opt"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    full,
]


def run(folder: Path, *words: str) -> str:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Make a study of 200 articles, one captioner, one epoch and no SPICE, with a cache of its own."""
    copy = tmp_path / "study"
    run(tmp_path, "git", "clone", "--quiet", str(ROOT), str(copy))
    yaml = YAML()
    params = yaml.load(copy / "params.yaml")
    params["sample_shop"] |= {"articles": 200, "customers": 60, "purchases": 900}
    params["captioners"] = {CAPTIONER: {"family": "blip2_opt"}}
    params["epochs"], params["caption_score"]["spice"] = 1, "skip"
    yaml.dump(params, copy / "params.yaml")
    (copy / "grid.yaml").write_text("lr:\n- 0.0005\n- 0.0001\n")
    for words in (["config", "user.name", "Study"], ["config", "user.email", "study@localhost"], ["add", "-A"]):
        run(copy, "git", *words)
    run(copy, "git", "commit", "--quiet", "-m", "A small study")
    return copy


def test_two_cells_of_a_grid(study: Path) -> None:
    grid = [sys.executable, "-m", "lookbook.cli.main", "grid", "grid.yaml"]
    assert "2 of 2 cells queued" in run(study, *grid, "--queue")
    again = run(study, *grid, "--queue")
    assert "0 of 2 cells queued" in again
    assert "2 were queued or running already" in again
    run(study, "dvc", "exp", "run", "--run-all", "--jobs", "1")
    run(study, *grid, "--csv", "grid.csv")
    with open(study / "grid.csv", newline="") as file:
        fast, slow = csv.DictReader(file)
    assert (fast["lr"], slow["lr"]) == ("0.0005", "0.0001")
    assert fast["experiment"]
    assert slow["experiment"]
    assert 0 < float(fast["validation_loss"]) < float(slow["validation_loss"])
    assert (fast["best"], slow["best"]) == ("True", "False")
    assert float(fast["seconds"]) > 0
    assert float(fast["bleu_4"]) >= 0
    assert 0 <= float(fast["arrivals_ndcg"]) <= 1
    assert "0 of 2 cells queued" in run(study, *grid, "--queue")
