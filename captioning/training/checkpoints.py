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

from captioning.training.history import Log, find_best_evaluation, list_evaluations
from pipeline.checkpoints import hash_file, key_folder, list_files
from pipeline.core.errors import UserError
from pipeline.core.outputs import new_folder

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"  # the hash of every other file of a checkpoint
STATE = "trainer_state.json"
LIBRARIES = ("torch", "transformers", "peft", "accelerate", "bitsandbytes")
N_RECENT = 2  # the last checkpoints that are kept, beside that of the best epoch
ADAPTER = ("adapter_model.safetensors", "adapter_config.json")  # what is kept of the other epochs


def name_run_folder(captioner: str, params: dict[str, Any], inputs: Sequence[Path]) -> Path:
    """Names the folder of a run; `CHECKPOINT_DIR` moves it.

    Args:
        captioner: begins the name.
        params: every parameter that the run reads.
        inputs: files and folders that it reads, code included.
    """
    return key_folder(captioner, params, inputs, LIBRARIES)


@contextmanager
def new_checkpoint(folder: Path, step: int, keep_epochs: bool = False) -> Iterator[Path]:
    """Opens a folder to write in; when the block ends it gets its manifest, and older checkpoints are removed.

    Args:
        folder: of the run.
        step: the optimiser step.
        keep_epochs: keeps the adapter of a removed checkpoint that ended an epoch, as `epoch-<step>`.
    """
    with new_folder(folder / f"checkpoint-{step}") as partial:
        yield partial
        _write_manifest(partial)
    _remove_old(folder, keep_epochs)


def find_latest(folder: Path) -> Path | None:
    """Finds the last checkpoint that is intact, as is its best epoch's; warns of damaged ones and removes them."""
    for checkpoint in reversed(_list_checkpoints(folder)):
        if _is_usable(checkpoint):
            return checkpoint
        log.warning("%s is damaged: training resumes from the checkpoint before it", checkpoint)
        shutil.rmtree(checkpoint)
    return None


def read_log(checkpoint: Path) -> Log:
    """Reads Trainer's log at this checkpoint."""
    return json.loads((checkpoint / STATE).read_text(encoding="utf-8"))["log_history"]


def find_best(checkpoint: Path) -> Path:
    """Finds the checkpoint of the best epoch in this checkpoint's log.

    Raises:
        ValueError: no epoch had been evaluated.
    """
    best = _find_best(checkpoint)
    if best is None:
        raise ValueError(f"{checkpoint}: no epoch had been evaluated")
    return best


def find_epochs(checkpoint: Path) -> dict[int, Path]:
    """Finds the adapter of each epoch in this checkpoint's log, by its number from 1, of a run that keeps them.

    Raises:
        UserError: an adapter is damaged or gone.
    """
    found = {}
    for evaluation in list_evaluations(read_log(checkpoint)):
        places = [checkpoint.with_name(f"{kind}-{evaluation.step}") for kind in ("checkpoint", "epoch")]
        whole = [place for place in places if _is_intact(place)]
        if not whole:
            raise UserError(
                f"{places[1]}: the adapter of epoch {evaluation.epoch} is damaged or gone; remove {checkpoint.parent} "
                "and run `dvc repro` again, or set caption_train.keep_epochs: false"
            )
        found[evaluation.epoch] = whole[0]
    return found


def _find_best(checkpoint: Path) -> Path | None:
    evaluation = find_best_evaluation(read_log(checkpoint))
    return checkpoint.with_name(f"checkpoint-{evaluation.step}") if evaluation else None


def _write_manifest(folder: Path) -> None:
    manifest = {path.name: hash_file(path) for path in list_files(folder)}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2), encoding="utf-8")


def _is_usable(checkpoint: Path) -> bool:
    return _is_intact(checkpoint) and ((best := _find_best(checkpoint)) is None or _is_intact(best))


def _is_intact(checkpoint: Path) -> bool:
    try:
        manifest = json.loads((checkpoint / MANIFEST).read_text(encoding="utf-8"))
        return bool(manifest) and all(hash_file(checkpoint / name) == digest for name, digest in manifest.items())
    except (OSError, ValueError):
        return False


def _list_checkpoints(folder: Path) -> list[Path]:
    paths = [path for path in folder.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdigit()]
    return sorted(paths, key=lambda path: int(path.name.removeprefix("checkpoint-")))


def _remove_old(folder: Path, keep_epochs: bool) -> None:
    """Keeps the last two and the best epoch in the log of each, so that a damaged last one leaves the other usable."""
    recent = _list_checkpoints(folder)[-N_RECENT:]
    needed = set(recent) | {_find_best(checkpoint) for checkpoint in recent if (checkpoint / STATE).is_file()}
    for checkpoint in _list_checkpoints(folder):
        if checkpoint not in needed:
            if keep_epochs and _ends_epoch(checkpoint):
                _keep_adapter(checkpoint)
            shutil.rmtree(checkpoint)


def _ends_epoch(checkpoint: Path) -> bool:
    """Tells whether the last evaluation in the checkpoint's log was at its own step."""
    evaluations = list_evaluations(read_log(checkpoint)) if (checkpoint / STATE).is_file() else []
    return bool(evaluations) and checkpoint.name == f"checkpoint-{evaluations[-1].step}"


def _keep_adapter(checkpoint: Path) -> None:
    step = checkpoint.name.removeprefix("checkpoint-")
    with new_folder(checkpoint.with_name(f"epoch-{step}")) as partial:
        for name in ADAPTER:
            shutil.copyfile(checkpoint / name, partial / name)
        _write_manifest(partial)
