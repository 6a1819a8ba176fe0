"""What Trainer's log says: best epoch, whether to stop, the curve and the samples that are written.

The log is Trainer's own `state.log_history`, which checkpoints carry: a row for each optimiser step, one for each evaluation.
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
    """Write the curve as `step, kind, value`; a kind is loss, validation_loss or lr.

    What was not measured has no row: DVC would plot an empty cell as 0.
    """
    kinds = ("loss", "validation_loss", "lr")
    tidy = [{"step": row["step"], "kind": kind, "value": row[kind]} for row in rows for kind in kinds]
    _write(path, ["step", "kind", "value"], [row for row in tidy if row["value"] is not None])


def samples(log: Log, references: dict[str, str]) -> list[dict[str, Any]]:
    """Rows of `item_id, epoch, caption, reference`: what was said of the same few items after each epoch, item by item.

    Args:
        references: the items' own descriptions.
    """
    said = [row.get("samples", {}) for row in log if "eval_loss" in row]
    rows = [
        {"item_id": item, "epoch": epoch, "caption": caption, "reference": references[item]}
        for epoch, captions in enumerate(said, start=1)
        for item, caption in captions.items()
    ]
    return sorted(rows, key=lambda row: (row["item_id"], row["epoch"]))


def write_samples(path: Path, rows: list[dict[str, Any]]) -> None:
    _write(path, ["item_id", "epoch", "caption", "reference"], rows)


def _write(path: Path, columns: list[str], rows: list[dict[str, Any]]) -> None:
    with new_file(path) as partial, open(partial, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
