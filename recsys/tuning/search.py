"""The search: every cell of a grid is fitted without the validation purchases and measured on them."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.core.outputs import read_json, write_json
from pipeline.core.params import Section
from pipeline.core.progress import track
from recsys.ranking.scorers import RandomOrder, Scorer
from recsys.ranking.settings import Run, Stopping
from recsys.recommenders import Recommender
from recsys.tuning.choices import choose
from recsys.tuning.settings import RecTune
from recsys.tuning.tasks import Task

EPOCHS = "epochs"  # the key of settings that what learns in epochs has
Trial = dict[str, Any]  # the values of a cell, the best number of epochs, and the NDCG after them


def is_needed(cells: Sequence[dict[str, Any]], settings: Section, tune: RecTune) -> bool:
    """Tell whether there is something to choose: between cells, or the number of epochs."""
    return len(cells) > 1 or (EPOCHS in type(settings).model_fields and tune.patience > 0)


def try_cells(
    recommender: Recommender[Any],
    settings: Section,
    cells: Sequence[dict[str, Any]],
    tune: RecTune,
    task: Task,
    run: Run,
    folder: Path,
) -> list[Trial]:
    """Fit and measure each cell; a cell that was finished before is read.

    Args:
        recommender: a file of recsys/recommenders.
        settings: its sub-section of `rec_fit`.
        cells: of its grid (`list_cells`).
        tune: how long each cell may learn.
        task: what to learn from and to measure on.
        run: seed, device and threads.
        folder: for finished cells, and the state of the one that is not.

    Returns:
        The values of each cell with `epochs`, where it learns in epochs, and `ndcg_<top_k>`.
    """
    trials = []
    for number, cell in enumerate(track(cells, "tune", unit="cell")):
        finished = folder / f"cell-{number}.json"
        if not finished.is_file():
            stopping = Stopping(task.measure, tune.patience, tune.evaluate_every)
            own = replace(run, checkpoints=folder / f"cell-{number}", stopping=stopping)
            limit = {EPOCHS: tune.epochs} if EPOCHS in type(settings).model_fields else {}
            scorer = recommender.fit(task.data, choose(settings, cell | limit), own, task.features)
            write_json(finished, cell | _best(stopping, scorer, run.top_k))
        trials.append(read_json(finished))
    return trials


def choose_best(trials: Sequence[Trial], k: int) -> dict[str, Any]:
    """Return the settings of the trial with the highest NDCG@k, the first of equals.

    >>> choose_best([{"k": 5, "ndcg_12": 0.1}, {"k": 9, "ndcg_12": 0.2}, {"k": 20, "ndcg_12": 0.2}], 12)
    {'k': 9}
    """
    measured = f"ndcg_{k}"
    best = max(trials, key=lambda trial: trial[measured])
    return {key: value for key, value in best.items() if key != measured}


def describe_best(trials: Sequence[Trial], k: int) -> str:
    """Return the chosen settings and their NDCG for a message.

    >>> describe_best([{"k": 5, "ndcg_12": 0.1}], 12)
    'k 5, NDCG@12 0.1000'
    """
    shown = [f"{key} {value}" for key, value in choose_best(trials, k).items()]
    return ", ".join([*shown, f"NDCG@{k} {max(trial[f'ndcg_{k}'] for trial in trials):.4f}"])


def _best(stopping: Stopping, scorer: Scorer | RandomOrder, k: int) -> Trial:
    """Return the best number of epochs, the smallest of equals, and its NDCG; of no epochs the NDCG alone."""
    if not stopping.measured:
        return {f"ndcg_{k}": stopping.measure(scorer)}
    epochs, ndcg = max(stopping.measured, key=lambda pair: (pair[1], -pair[0]))
    return {EPOCHS: epochs, f"ndcg_{k}": ndcg}
