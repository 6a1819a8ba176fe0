"""What Trainer's log says: best epoch, whether to stop, and the curve that is written.

The log is Trainer's own `state.log_history`, which checkpoints carry: a row for each optimiser step, one for each evaluation.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.outputs import new_file

CURVE_ROWS = 200  # about as many; each is the mean of the steps since the row before

Log = list[dict[str, Any]]


@dataclass(frozen=True)
class Evaluation:
    """The end of an epoch (counted from 1)."""

    epoch: int
    step: int
    loss: float


def evaluations(log: Log) -> list[Evaluation]:
    rows = [row for row in log if "eval_loss" in row]
    return [Evaluation(epoch, row["step"], row["eval_loss"]) for epoch, row in enumerate(rows, start=1)]


def best(log: Log) -> Evaluation | None:
    """The lowest validation loss; of equal ones the earliest."""
    return min(evaluations(log), key=lambda one: (one.loss, one.step), default=None)


def out_of_patience(log: Log, patience: int) -> bool:
    """The last `patience` epochs were no better than the best before them."""
    lowest = best(log)
    return lowest is not None and evaluations(log)[-1].epoch - lowest.epoch >= patience


def finished(log: Log, steps: int, patience: int) -> bool:
    """Nothing is left to do: the last step was evaluated, or training stopped early."""
    done = evaluations(log)
    return bool(done) and (done[-1].step >= steps or out_of_patience(log, patience))


def training_loss(log: Log, first: int, last: int) -> float:
    """Mean loss of the optimiser steps `first` to `last`, both counted."""
    losses = [row["loss"] for row in log if "loss" in row and first <= row["step"] <= last]
    return sum(losses) / len(losses)


def curve(log: Log, steps: int) -> list[dict[str, float | None]]:
    """Rows of `step, loss, validation_loss, lr`; a row also where an epoch ends. None where nothing was measured."""
    every = max(1, steps // CURVE_ROWS)
    validation = {one.step: one.loss for one in evaluations(log)}
    rows: list[dict[str, float | None]] = []
    losses: list[float] = []
    for row in (row for row in log if "loss" in row):
        losses.append(row["loss"])
        step = row["step"]
        if step % every == 0 or step == steps or step in validation:
            mean = sum(losses) / len(losses)
            rows.append(
                {"step": step, "loss": mean, "validation_loss": validation.get(step), "lr": row["learning_rate"]}
            )
            losses = []
    return rows


def write_curve(path: Path, rows: list[dict[str, float | None]]) -> None:
    with new_file(path) as partial, open(partial, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["step", "loss", "validation_loss", "lr"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
