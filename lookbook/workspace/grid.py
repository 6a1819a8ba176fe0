"""A grid of parameters as DVC experiments: which cells have run, what they reached, and how to queue the rest."""

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.core.errors import UserError
from pipeline.core.params import load

Cell = dict[str, Any]  # parameter -> value
WORKSPACE = "workspace"
CAPTION_SCORES = "metrics/captions.json"  # no metrics of DVC: `dvc exp show` does not print them
WAITING = ("queued", "running")  # states of an experiment that has nothing to show yet
VIEW = {"captions", "catalogue", "writer"}  # what only chooses what is shown
TRAINED = ["validation_loss", "best_epoch", "seconds", "kg_co2"]
SCORED = ["bleu_4", "meteor", "rouge_l", "cider", "spice", "attribute_precision"]


@dataclass(frozen=True)
class Run:
    """An experiment or the workspace: its parameters and metrics as DVC read them."""

    name: str
    params: Cell
    metrics: dict[str, Any]
    waiting: str = ""  # one of WAITING; "" once it has ended


def read_grid(path: Path, params: Cell) -> list[Cell]:
    """Every combination of a file that lists values under the names of root parameters.

    Raises:
        UserError: no such file, a name that is no root parameter with a single value, or values that are no list.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; name one of a grid, such as studies/grids/study.yaml")
    axes = load(path)
    allowed = [name for name, value in params.items() if not isinstance(value, dict | list)]
    for name, values in axes.items():
        if name not in allowed:
            raise UserError(f"{path}: {name}: not a root parameter; must be one of: {', '.join(allowed)}")
        if not isinstance(values, list) or not values or any(isinstance(value, dict | list) for value in values):
            raise UserError(f"{path}: {name}: {values!r}; must be a list of values")
    if not axes:
        raise UserError(f"{path}: empty; list values under the names of root parameters, such as lr")
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def read_runs(captioners: list[str], all_commits: bool) -> list[Run]:
    """The workspace, as far as it is up to date, and the experiments of the commit (of all commits).

    Raises:
        UserError: DVC cannot tell.
    """
    states = json.loads(_dvc("exp", "show", "--json", *(["--all-commits"] if all_commits else [])))
    runs = list(_runs(states))
    return [_up_to_date(run, captioners) if run.name == WORKSPACE else run for run in runs]


def _dvc(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "dvc", *words], capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"dvc {' '.join(words)} failed: {done.stderr.strip()}")
    return done.stdout


def _up_to_date(workspace: Run, captioners: list[str]) -> Run:
    """The workspace without metrics of stages that have yet to run with its parameters: git keeps the last ones."""
    cells = {f"metrics/train/{name}.json": f"caption_train@{name}" for name in captioners}
    cells[CAPTION_SCORES] = "caption_score"
    clean = {name for name, cell in cells.items() if json.loads(_dvc("status", "--json", "--with-deps", cell)) == {}}
    return Run(WORKSPACE, workspace.params, {name: found for name, found in workspace.metrics.items() if name in clean})


def _runs(states: list[dict[str, Any]]) -> Iterator[Run]:
    """The workspace and the experiments; a commit alone may hold metrics of other parameters than its own.

    DVC shows those of the commit for an experiment that is running, too, and for one that failed, which counts as none.
    """
    for state in states:
        if state["rev"] == WORKSPACE:
            yield from _run(state)
        commit = next(_run(state), None)
        for experiment in state.get("experiments") or []:
            reached = (experiment.get("executor") or {}).get("state")
            if reached == "failed":
                continue
            for revision in experiment.get("revs") or []:
                runs = _run(revision, reached if reached in WAITING else "")
                yield from (_own(run, commit) for run in runs)


def _run(state: dict[str, Any], waiting: str = "") -> Iterator[Run]:
    data = state.get("data") or {}  # absent where DVC cannot read a revision
    params = ((data.get("params") or {}).get("params.yaml") or {}).get("data")
    metrics = {name: found["data"] for name, found in (data.get("metrics") or {}).items() if "data" in found}
    if params and not waiting:
        metrics[CAPTION_SCORES] = read_caption_scores(str(state["rev"]))
    if params:
        yield Run(state.get("name") or str(state["rev"])[:12], params, {} if waiting else metrics, waiting)


def read_caption_scores(revision: str) -> dict[str, Any]:
    """Read metrics/captions.json of the workspace, or of a revision from git; empty where it has none."""
    if revision == WORKSPACE:
        path = Path(CAPTION_SCORES)
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    done = subprocess.run(["git", "show", f"{revision}:./{CAPTION_SCORES}"], capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else {}


def _own(run: Run, commit: Run | None) -> Run:
    """Without the trainings of its commit, which an experiment shows where it was run for another captioner alone."""
    if commit is None or _essential(run.params) == _essential(commit.params):
        return run
    kept = {
        name: found
        for name, found in run.metrics.items()
        if not name.startswith("metrics/train/") or found != commit.metrics.get(name)
    }
    return replace(run, metrics=kept)


def table(cells: list[Cell], runs: list[Run], params: Cell, captioners: list[str]) -> pd.DataFrame:
    """A row per captioner and cell: the cell's values, `experiment` ("" where there is none), what it reached.

    A run belongs to a cell when it has the cell's values and, but for what is only shown, this study's others. `waiting`
    is `queued` or `running` where the experiment is. The row with a captioner's lowest validation loss is its `best`.
    """
    rows = []
    for captioner, cell in itertools.product(captioners, cells):
        run = find(cell, runs, params, captioner) or find_waiting(cell, runs, params)
        name, waiting = (run.name, run.waiting) if run else ("", "")
        rows.append(
            {"captioner": captioner, **cell, "experiment": name, "waiting": waiting, **_reached(run, captioner)}
        )
    frame = pd.DataFrame(rows)
    lowest = frame.groupby("captioner")["validation_loss"].transform("min")
    frame["best"] = frame["validation_loss"].notna() & (frame["validation_loss"] == lowest)
    return frame


def find(cell: Cell, runs: list[Run], params: Cell, captioner: str) -> Run | None:
    """The first run of this cell in which the captioner was trained: the workspace, then experiments."""
    trained = (run for run in _of_cell(cell, runs, params) if f"metrics/train/{captioner}.json" in run.metrics)
    return next(trained, None)


def find_waiting(cell: Cell, runs: list[Run], params: Cell) -> Run | None:
    """The first run of this cell that is queued or running."""
    return next((run for run in _of_cell(cell, runs, params) if run.waiting), None)


def _of_cell(cell: Cell, runs: list[Run], params: Cell) -> Iterator[Run]:
    wanted = _essential({**params, **cell})
    return (run for run in runs if _essential(run.params) == wanted)


def _essential(params: Cell) -> Cell:
    return {name: value for name, value in params.items() if name not in VIEW}


def _reached(run: Run | None, captioner: str) -> dict[str, float | None]:
    metrics = run.metrics if run else {}
    training = metrics.get(f"metrics/train/{captioner}.json", {})
    scores = metrics.get(CAPTION_SCORES, {}).get(captioner, {}).get("ft", {})
    return {name: training.get(name) for name in TRAINED} | {name: scores.get(name) for name in SCORED}


def queue(cells: list[Cell], targets: list[str]) -> None:
    """Queues an experiment per cell; nothing runs yet.

    Raises:
        UserError: DVC refuses, for instance because the repository has no commit.
    """
    for cell in cells:
        sets = [word for name, value in cell.items() for word in ("-S", f"{name}={value}")]
        done = subprocess.run([sys.executable, "-m", "dvc", "exp", "run", "--queue", *sets, *targets])
        if done.returncode:
            raise UserError(f"dvc exp run --queue {' '.join(sets)} failed")
