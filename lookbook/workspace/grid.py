"""Read a grid of parameters and its DVC experiments, tabulate what each cell reached, and queue the rest."""

import itertools
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.core.errors import UserError
from pipeline.core.params import load
from pipeline.machine import MACHINE

Cell = dict[str, Any]  # parameter -> value
WORKSPACE = "workspace"
CAPTION_SCORES = "metrics/captions.json"  # no metrics of DVC: `dvc exp show` does not print them
ARRIVALS = "metrics/arrivals"  # nor are these, a file per recommender with features: that of the primary comparison
WAITING = ("queued", "running")  # states of an experiment without metrics of its own yet
VIEW = {"captions", "catalogue", "writer", "compare", "rate", MACHINE}  # parameters that change no figure of the table
OF_TRAINING = ("metrics/train/", CAPTION_SCORES, ARRIVALS)  # what follows from the training parameters
TRAINING_METRICS = ["validation_loss", "best_epoch", "seconds", "kg_co2"]
NDCG = "arrivals_ndcg"  # of new arrivals with the captioner's fine-tuned captions
SCORES = ["bleu_4", "meteor", "rouge_l", "cider", "spice", "attribute_precision"]


@dataclass(frozen=True)
class Run:
    """An experiment or the workspace, with its parameters and metrics as DVC reads them."""

    name: str
    params: Cell
    metrics: dict[str, Any]
    waiting: str = ""  # one of WAITING; "" once it has ended


def read_grid(path: Path, params: Cell) -> list[Cell]:
    """Return every combination of a file that lists values under the names of root parameters.

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


def read_runs(captioners: list[str], params: Cell, all_commits: bool) -> list[Run]:
    """Return the workspace and the experiments of the current commit, as `dvc exp show` lists them.

    Args:
        captioners: names whose training metrics the workspace loses where they are out of date.
        params: the study's parameters.
        all_commits: also return the experiments of earlier commits.

    Raises:
        UserError: DVC cannot tell.
    """
    states = json.loads(_dvc("exp", "show", "--json", *(["--all-commits"] if all_commits else [])))
    runs = list(_list_runs(states))
    return [_drop_outdated(run, captioners, params) if run.name == WORKSPACE else run for run in runs]


def _dvc(*words: str) -> str:
    ended = subprocess.run([sys.executable, "-m", "dvc", *words], capture_output=True, text=True)
    if ended.returncode:
        raise UserError(f"dvc {' '.join(words)} failed: {ended.stderr.strip()}")
    return ended.stdout


def _drop_outdated(workspace: Run, captioners: list[str], params: Cell) -> Run:
    """Drop metrics of stages that have yet to run with the workspace's parameters: git keeps the last ones."""
    cells = {f"metrics/train/{name}.json": f"caption_train@{name}" for name in captioners}
    cells[CAPTION_SCORES] = "caption_score"
    if params.get("arrival_features"):
        kind = "text" if params["primary"]["features"] in params["text_features"] else "image"
        cells[ARRIVALS] = f"rec_rank_arrivals_{kind}@{name_primary(params)}"
    clean = {name for name, cell in cells.items() if json.loads(_dvc("status", "--json", "--with-deps", cell)) == {}}
    metrics = {name: values for name, values in workspace.metrics.items() if name in clean}
    return Run(WORKSPACE, workspace.params, metrics)


def _list_runs(states: list[dict[str, Any]]) -> Iterator[Run]:
    """Yield the workspace and the experiments; a commit alone may hold metrics of other parameters than its own.

    A running or failed experiment shows its commit's metrics. Failed ones are left out.
    """
    for state in states:
        if state["rev"] == WORKSPACE:
            yield from _parse_run(state)
        commit = next(_parse_run(state), None)
        for experiment in state.get("experiments") or []:
            progress = (experiment.get("executor") or {}).get("state")
            if progress == "failed":
                continue
            for revision in experiment.get("revs") or []:
                runs = _parse_run(revision, progress if progress in WAITING else "")
                yield from (_drop_inherited(run, commit) for run in runs)


def _parse_run(state: dict[str, Any], waiting: str = "") -> Iterator[Run]:
    data = state.get("data") or {}  # absent where DVC cannot read a revision
    params = ((data.get("params") or {}).get("params.yaml") or {}).get("data")
    metrics = {name: entry["data"] for name, entry in (data.get("metrics") or {}).items() if "data" in entry}
    if params and not waiting:
        metrics[CAPTION_SCORES] = read_metrics(CAPTION_SCORES, str(state["rev"]))
        metrics[ARRIVALS] = read_metrics(f"{ARRIVALS}/{name_primary(params)}.json", str(state["rev"]))
    if params:
        yield Run(state.get("name") or str(state["rev"])[:12], params, {} if waiting else metrics, waiting)


def name_primary(params: Cell) -> str:
    """Return the recommender of the primary comparison with its features; of older parameters, an empty name.

    >>> name_primary({"primary": {"recommender": "vbpr", "features": "sbert"}}), name_primary({})
    ('vbpr-sbert', '')
    """
    primary = params.get("primary") or {}
    return "-".join(primary[key] for key in ("recommender", "features") if key in primary)


def read_metrics(path: str, revision: str) -> dict[str, Any]:
    """Read a JSON file of the workspace, or of a revision from git; empty where there is none."""
    if revision == WORKSPACE:
        file = Path(path)
        return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    ended = subprocess.run(["git", "show", f"{revision}:./{path}"], capture_output=True, text=True)
    return json.loads(ended.stdout) if ended.returncode == 0 else {}


def _drop_inherited(run: Run, commit: Run | None) -> Run:
    """Drop metrics inherited from the commit: an experiment that did not run their stages has them too."""
    if commit is None or _select_essential(run.params) == _select_essential(commit.params):
        return run
    own = {
        name: values
        for name, values in run.metrics.items()
        if not name.startswith(OF_TRAINING) or values != commit.metrics.get(name)
    }
    return replace(run, metrics=own)


def make_table(cells: list[Cell], runs: list[Run], params: Cell, captioners: list[str]) -> pd.DataFrame:
    """Return a row per captioner and cell: the cell's values, the experiment, and the metrics it reached.

    A run belongs to a cell when it has the cell's values and this study's other parameters, `VIEW` left aside.
    `experiment` is empty where there is no run. `waiting` is `queued` or `running` where the experiment is.
    `best` marks the row with a captioner's lowest validation loss.
    """
    rows = []
    for captioner, cell in itertools.product(captioners, cells):
        run = find_trained(cell, runs, params, captioner) or find_waiting(cell, runs, params)
        name, waiting = (run.name, run.waiting) if run else ("", "")
        metrics = _select_metrics(run, captioner)
        rows.append({"captioner": captioner, **cell, "experiment": name, "waiting": waiting, **metrics})
    frame = pd.DataFrame(rows)
    lowest = frame.groupby("captioner")["validation_loss"].transform("min")
    frame["best"] = frame["validation_loss"].notna() & (frame["validation_loss"] == lowest)
    return frame


def find_trained(cell: Cell, runs: list[Run], params: Cell, captioner: str) -> Run | None:
    """Return the first run of this cell that trained the captioner: the workspace, then experiments."""
    trained = (run for run in _runs_of_cell(cell, runs, params) if f"metrics/train/{captioner}.json" in run.metrics)
    return next(trained, None)


def find_waiting(cell: Cell, runs: list[Run], params: Cell) -> Run | None:
    """Return the first run of this cell that is queued or running."""
    return next((run for run in _runs_of_cell(cell, runs, params) if run.waiting), None)


def _runs_of_cell(cell: Cell, runs: list[Run], params: Cell) -> Iterator[Run]:
    essential = _select_essential({**params, **cell})
    return (run for run in runs if _select_essential(run.params) == essential)


def _select_essential(params: Cell) -> Cell:
    return {name: value for name, value in params.items() if name not in VIEW}


def _select_metrics(run: Run | None, captioner: str) -> dict[str, float | None]:
    metrics = run.metrics if run else {}
    training = metrics.get(f"metrics/train/{captioner}.json", {})
    scores = metrics.get(CAPTION_SCORES, {}).get(captioner, {}).get("ft", {})
    figures = {name: training.get(name) for name in TRAINING_METRICS} | {name: scores.get(name) for name in SCORES}
    return figures | {NDCG: _find_ndcg(metrics.get(ARRIVALS, {}), f"{captioner}-ft")}


def _find_ndcg(arrivals: dict[str, Any], source: str) -> float | None:
    """Return NDCG among the arrivals with the words of a source, at the study's cutoff; None where it is not ranked."""
    figures = arrivals.get("sources", {}).get(source, {})
    return next((value for name, value in figures.items() if re.fullmatch(r"ndcg_\d+", name)), None)


def queue_cells(cells: list[Cell], targets: list[str]) -> None:
    """Queue an experiment per cell; nothing runs yet.

    Raises:
        UserError: DVC refuses, for instance because the repository has no commit.
    """
    for cell in cells:
        sets = [word for name, value in cell.items() for word in ("-S", f"{name}={value}")]
        ended = subprocess.run([sys.executable, "-m", "dvc", "exp", "run", "--queue", *sets, *targets])
        if ended.returncode:
            raise UserError(f"dvc exp run --queue {' '.join(sets)} failed; its message stands above")
