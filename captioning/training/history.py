"""Results read from Trainer's log: best epoch, whether to stop, and the curve and samples to write.

The log is Trainer's own `state.log_history`, which checkpoints hold: a row for each optimiser step and each evaluation.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.outputs import new_file

CURVE_ROWS = 200  # about as many; each is the mean of the steps since the row before

Log = list[dict[str, Any]]


@dataclass(frozen=True)
class Evaluation:
    """The end of an epoch (counted from 1)."""

    epoch: int
    step: int
    loss: float


def list_evaluations(log: Log) -> list[Evaluation]:
    """Lists the evaluations of a log, one per epoch."""
    rows = [row for row in log if "eval_loss" in row]
    return [Evaluation(epoch, row["step"], row["eval_loss"]) for epoch, row in enumerate(rows, start=1)]


def find_best_evaluation(log: Log) -> Evaluation | None:
    """Finds the lowest validation loss; of equal ones the earliest.

    >>> log = [{"eval_loss": loss, "step": step} for loss, step in [(2.0, 3), (1.5, 6), (1.5, 9)]]
    >>> find_best_evaluation(log)
    Evaluation(epoch=2, step=6, loss=1.5)
    """
    return min(list_evaluations(log), key=lambda evaluation: (evaluation.loss, evaluation.step), default=None)


def is_out_of_patience(log: Log, patience: int) -> bool:
    """Tells whether the last `patience` epochs were no better than the best epoch before them."""
    lowest = find_best_evaluation(log)
    return lowest is not None and list_evaluations(log)[-1].epoch - lowest.epoch >= patience


def is_finished(log: Log, steps: int, patience: int) -> bool:
    """Tells whether nothing is left to do: the last step was evaluated, or training stopped early."""
    evaluations = list_evaluations(log)
    return bool(evaluations) and (evaluations[-1].step >= steps or is_out_of_patience(log, patience))


def compute_training_loss(log: Log, first: int, last: int) -> float:
    """Computes the mean loss of the optimiser steps `first` to `last`, both counted."""
    losses = [row["loss"] for row in log if "loss" in row and first <= row["step"] <= last]
    return sum(losses) / len(losses)


def make_curve(log: Log, steps: int) -> list[dict[str, float | None]]:
    """Makes rows of `step, loss, validation_loss, lr`; the end of an epoch has a row too. None is not measured."""
    every = max(1, steps // CURVE_ROWS)
    validation = {evaluation.step: evaluation.loss for evaluation in list_evaluations(log)}
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
    """Write the curve as `step, kind, value`; a kind is loss, validation_loss or lr.

    What was not measured has no row: DVC would plot an empty cell as 0.
    """
    kinds = ("loss", "validation_loss", "lr")
    tidy = [{"step": row["step"], "kind": kind, "value": row[kind]} for row in rows for kind in kinds]
    _write(path, ["step", "kind", "value"], [row for row in tidy if row["value"] is not None])


def collect_samples(log: Log, references: dict[str, str]) -> list[dict[str, Any]]:
    """Collects rows of `item_id, epoch, caption, reference`: the captions of the same items after each epoch.

    Args:
        log: with the samples that `SampleCaptions` added.
        references: the items' own descriptions.
    """
    epochs = [row.get("samples", {}) for row in log if "eval_loss" in row]
    rows = [
        {"item_id": item, "epoch": epoch, "caption": caption, "reference": references[item]}
        for epoch, captions in enumerate(epochs, start=1)
        for item, caption in captions.items()
    ]
    return sorted(rows, key=lambda row: (row["item_id"], row["epoch"]))


def write_samples(path: Path, rows: list[dict[str, Any]]) -> None:
    """Writes the rows of `collect_samples` as CSV."""
    _write(path, ["item_id", "epoch", "caption", "reference"], rows)


def _write(path: Path, columns: list[str], rows: list[dict[str, Any]]) -> None:
    with new_file(path) as partial, open(partial, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
