"""Checkpoints outside DVC: `.checkpoints/<captioner>-<hash>/checkpoint-<step>/`, whole or absent, checked when read.

The hash covers everything that the result depends on, so a changed parameter never meets an old checkpoint.
"""

import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from captioning.training.history import Log, best
from pipeline.checkpoints import hash_file, key_folder, list_files
from pipeline.core.outputs import new_folder

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"  # the hash of every other file of a checkpoint
STATE = "trainer_state.json"
LIBRARIES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes")
KEPT = 2


def folder_for(captioner: str, params: dict[str, Any], inputs: Sequence[Path]) -> Path:
    """The folder of a run; `CHECKPOINT_DIR` moves it.

    Args:
        params: every parameter that the run reads.
        inputs: files and folders that it reads, code included.
    """
    return key_folder(captioner, params, inputs, LIBRARIES)


@contextmanager
def new_checkpoint(folder: Path, step: int) -> Iterator[Path]:
    """A folder to write in; complete, with its manifest, when the block ends well. Then older ones are removed."""
    with new_folder(folder / f"checkpoint-{step}") as partial:
        yield partial
        manifest = {path.name: hash_file(path) for path in list_files(partial)}
        (partial / MANIFEST).write_text(json.dumps(manifest, indent=2), encoding="utf-8")
    _remove_old(folder)


def latest(folder: Path) -> Path | None:
    """The last checkpoint that is whole, and whose best epoch's is; damaged ones are named in a warning and removed."""
    for checkpoint in reversed(_in_order(folder)):
        if _intact(checkpoint) and (_best_of(checkpoint) is None or _intact(best_of(checkpoint))):
            return checkpoint
        log.warning("%s is damaged: going on from the one before", checkpoint)
        shutil.rmtree(checkpoint)
    return None


def log_of(checkpoint: Path) -> Log:
    """Trainer's log at this checkpoint."""
    return json.loads((checkpoint / STATE).read_text(encoding="utf-8"))["log_history"]


def best_of(checkpoint: Path) -> Path:
    """The checkpoint of the best epoch so far, as this one knows it."""
    found = _best_of(checkpoint)
    if found is None:
        raise ValueError(f"{checkpoint}: no epoch had been evaluated")
    return found


def _best_of(checkpoint: Path) -> Path | None:
    evaluation = best(log_of(checkpoint))
    return checkpoint.with_name(f"checkpoint-{evaluation.step}") if evaluation else None


def _intact(checkpoint: Path) -> bool:
    try:
        manifest = json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8"))
        return bool(manifest) and all(hash_file(checkpoint / name) == digest for name, digest in manifest.items())
    except (OSError, ValueError):
        return False


def _in_order(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdigit()]
    return sorted(found, key=lambda path: int(path.name.removeprefix("checkpoint-")))


def _remove_old(folder: Path) -> None:
    """Keeps the last two, and the best epoch as either of them knows it: the second must be able to stand alone."""
    recent = _in_order(folder)[-KEPT:]
    kept = set(recent) | {_best_of(checkpoint) for checkpoint in recent if (checkpoint / STATE).is_file()}
    for checkpoint in _in_order(folder):
        if checkpoint not in kept:
            shutil.rmtree(checkpoint)
