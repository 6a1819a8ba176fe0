"""Cells of a grid and the runs that belong to them, on what `dvc exp show --json` prints."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lookbook.workspace import grid
from lookbook.workspace.grid import Cell, Run, find_trained, find_waiting, make_table, read_grid
from lookbook.workspace.grid_table import grid_table
from pipeline.core.errors import UserError
from tests.helpers.tables import list_without_columns

ROOT = Path(__file__).parents[3]
PRIMARY = {"recommender": "vbpr", "features": "sbert"}
PARAMS = {"lr": 0.0005, "batch_size": 16, "captions": "ft", "captioners": {"a": {}, "b": {}}, "primary": PRIMARY}


def run(name: str, changed: dict[str, Any], losses: dict[str, float]) -> Run:
    training = {
        f"metrics/train/{captioner}.json": {"validation_loss": loss, "seconds": 9.0}
        for captioner, loss in losses.items()
    }
    scores = {
        "metrics/captions.json": {
            captioner: {"pt": {"bleu_4": 0.0}, "ft": {"bleu_4": 1 - loss}} for captioner, loss in losses.items()
        }
    }
    ndcg = {f"{captioner}-ft": {"ndcg_12_all": 9.0, "ndcg_12": 0.2 - loss / 10} for captioner, loss in losses.items()}
    arrivals = {"metrics/arrivals": {"sources": ndcg}}
    return Run(name, {**PARAMS, **changed}, training | scores | arrivals)


def write(folder: Path, text: str) -> Path:
    path = folder / "grid.yaml"
    path.write_text(text)
    return path


def test_the_studys_grid_has_sixteen_cells() -> None:
    params = {"lr": 1.0, "batch_size": 1, "lora_layers": "x"}
    cells = read_grid(ROOT / "studies/grids/study.yaml", params)
    assert len(cells) == len({tuple(cell.values()) for cell in cells}) == 16
    assert {cell["lr"] for cell in cells} == {1e-5, 5e-5, 1e-4, 5e-4}


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("rate: [1]", "rate: not a root parameter; must be one of: lr, batch_size, captions"),
        ("captioners: [a]", "captioners: not a root parameter"),
        ("lr: 0.1", "lr: 0.1; must be a list of values"),
        ("lr: []", "lr: []; must be a list"),
        ("{}", "empty"),
    ],
)
def test_a_grid_that_cannot_be_run_is_refused(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(UserError, match=r"grid\.yaml") as refusal:
        read_grid(write(tmp_path, text), PARAMS)
    assert part in str(refusal.value)


def test_a_missing_grid_says_where_grids_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nope\.yaml: no such file; name one of a grid, such as studies/grids/"):
        read_grid(tmp_path / "nope.yaml", PARAMS)


def test_a_run_belongs_to_a_cell_when_all_that_matters_is_equal(tmp_path: Path) -> None:
    cells = read_grid(write(tmp_path, "lr: [0.0005, 0.0001]"), PARAMS)
    here, other = run("workspace", {"captions": "pt"}, {"a": 0.3, "b": 0.2}), run("exp", {"lr": 1e-4}, {"a": 0.5})
    stranger = run("longer", {"lr": 1e-4, "batch_size": 32}, {"a": 0.1, "b": 0.1})
    runs = [stranger, here, other]
    assert find_trained(cells[0], runs, PARAMS, "a") is here
    assert find_trained(cells[1], runs, PARAMS, "a") is other
    assert find_trained(cells[1], runs, PARAMS, "b") is None


@pytest.mark.parametrize("section", ["machine", "compare", "rate"])
def test_a_section_that_changes_no_figure_loses_no_run(section: str) -> None:
    params = {**PARAMS, section: {"some": 1}}
    ended = Run("exp", {**params, "lr": 1e-4}, {"metrics/train/a.json": {"validation_loss": 0.2}})
    waits = Run("waits", {**params, "lr": 1e-5}, {}, "queued")
    now = {**params, section: {"some": 2}}
    assert find_trained({"lr": 1e-4}, [ended, waits], now, "a") is ended
    assert find_waiting({"lr": 1e-5}, [ended, waits], now) is waits
    assert find_trained({"lr": 1e-4}, [ended, waits], {**now, "batch_size": 8}, "a") is None


def test_the_table_has_every_cell_and_marks_the_lowest_loss(tmp_path: Path) -> None:
    cells = read_grid(write(tmp_path, "lr: [0.0005, 0.0001]"), PARAMS)
    runs = [run("workspace", {}, {"a": 0.3, "b": 0.2}), run("exp", {"lr": 1e-4}, {"a": 0.1})]
    frame = make_table(cells, runs, PARAMS, ["a", "b"])
    assert frame[["captioner", "lr", "experiment", "best"]].values.tolist() == [
        ["a", 0.0005, "workspace", False],
        ["a", 0.0001, "exp", True],
        ["b", 0.0005, "workspace", True],
        ["b", 0.0001, "", False],
    ]
    assert frame["bleu_4"].tolist()[:3] == pytest.approx([0.7, 0.9, 0.8])
    assert frame["arrivals_ndcg"].tolist()[:3] == pytest.approx([0.17, 0.19, 0.18])
    assert frame["seconds"].isna().tolist() == [False, False, False, True]
    assert list_without_columns(grid_table(frame)) == []


def test_a_captioner_that_an_experiment_left_alone_has_not_run_there() -> None:
    """DVC shows the commit's training there, with other parameters than the experiment's."""

    def state(params: Cell, losses: dict[str, float]) -> dict[str, Any]:
        metrics = {f"metrics/train/{name}.json": {"data": {"validation_loss": loss}} for name, loss in losses.items()}
        return {"params": {"params.yaml": {"data": params}}, "metrics": metrics}

    revisions = {
        "only-a": state({**PARAMS, "lr": 1e-4}, {"a": 0.5, "b": 0.2}),
        "shown-otherwise": state({**PARAMS, "captions": "pt"}, {"a": 0.3, "b": 0.2}),
    }
    experiments = [{"revs": [{"name": name, "rev": name, "data": data}]} for name, data in revisions.items()]
    commit = {"rev": 40 * "1", "data": state(PARAMS, {"a": 0.3, "b": 0.2}), "experiments": experiments}
    runs = list(grid._list_runs([commit]))
    runs_by_cell = {
        (lr, name): find_trained({"lr": lr}, runs, PARAMS, name) for lr in (1e-4, 5e-4) for name in ("a", "b")
    }
    assert {cell: run and run.name for cell, run in runs_by_cell.items()} == {
        (1e-4, "a"): "only-a",
        (1e-4, "b"): None,
        (5e-4, "a"): "shown-otherwise",
        (5e-4, "b"): "shown-otherwise",
    }


def test_scores_are_those_of_the_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`dvc exp show` prints metrics only, and these scores are too many to be metrics."""

    def git(*words: str) -> str:
        command = ["git", "-c", "user.name=Study", "-c", "user.email=study@localhost", *words]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.strip()

    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "nothing yet")
    empty = git("rev-parse", "HEAD")
    (tmp_path / "metrics/arrivals").mkdir(parents=True)
    for score in (0.1, 0.2, 0.3):
        (tmp_path / "metrics/captions.json").write_text(json.dumps({"a": {"ft": {"bleu_4": score}}}))
        arrivals = {"sources": {"a-ft": {"ndcg_12": score / 2}}}
        (tmp_path / "metrics/arrivals/vbpr-sbert.json").write_text(json.dumps(arrivals))
        if score < 0.3:
            git("add", "-A")
            git("commit", "-q", "-m", str(score))
    state = {"params": {"params.yaml": {"data": PARAMS}}, "metrics": {}}
    revisions = ["workspace", git("rev-parse", "HEAD"), git("rev-parse", "HEAD~1"), empty]
    runs = [run for revision in revisions for run in grid._parse_run({"rev": revision, "data": state})]
    assert [grid._select_metrics(run, "a")["bleu_4"] for run in runs] == [0.3, 0.2, 0.1, None]
    assert [grid._select_metrics(run, "a")["arrivals_ndcg"] for run in runs] == [0.15, 0.1, 0.05, None]


def test_an_experiment_that_ranked_no_arrivals_has_none_of_its_own() -> None:
    """Its commit holds the file of the commit."""
    metrics = {
        "metrics/train/a.json": {"validation_loss": 0.3},
        "metrics/arrivals": {"sources": {"a-ft": {"ndcg_12": 1}}},
    }
    commit = Run("commit", PARAMS, metrics)
    trained = metrics | {"metrics/train/a.json": {"validation_loss": 0.2}}
    alone = grid._drop_inherited(Run("alone", {**PARAMS, "lr": 1e-4}, trained), commit)
    assert grid._select_metrics(alone, "a")["arrivals_ndcg"] is None
    assert alone.metrics["metrics/train/a.json"] == {"validation_loss": 0.2}
    shown = grid._drop_inherited(Run("shown", {**PARAMS, "captions": "pt"}, metrics), commit)
    assert grid._select_metrics(shown, "a")["arrivals_ndcg"] == 1
