"""Whether queued experiments will find the raw data: they run in temporary folders that hold what git and DVC track."""

import json
import subprocess
import sys
from pathlib import Path

from pipeline.core.errors import UserError

RAW = Path("data/raw")
MADE = ("sample",)  # data sets that a stage makes


def require_tracked(dataset: str) -> None:
    """Refuse a data set that temporary folders of experiments would lack, or have in an older state.

    Raises:
        UserError: the raw data is neither in git nor in DVC, or has changed since it was added; the message has the
            commands that add it.
    """
    folder = RAW / dataset
    if dataset in MADE or not folder.exists() or _in_commit(folder):
        return
    pointer = Path(f"{folder}.dvc")
    commands = f"dvc add {folder} && git add {RAW} && git commit -m 'Raw data of {dataset}'"
    if not _in_commit(pointer):
        link = "it is a link, which DVC does not add: move the folder itself there first; " * folder.is_symlink()
        raise UserError(
            f"{folder}: in neither git nor DVC, so queued experiments, which run in temporary folders, would lack it; "
            f"{link}run: {commands}"
        )
    if _has_changed(pointer):
        raise UserError(f"{folder}: changed since it was added, so queued experiments would lack that; run: {commands}")


def _in_commit(path: Path) -> bool:
    """Whether the current commit holds this file, or a file of this folder."""
    ended = subprocess.run(["git", "ls-tree", "HEAD", "--", str(path)], capture_output=True, text=True)
    return ended.returncode == 0 and bool(ended.stdout)


def _has_changed(pointer: Path) -> bool:
    words = [sys.executable, "-m", "dvc", "status", "--json", str(pointer)]
    ended = subprocess.run(words, capture_output=True, text=True)
    if ended.returncode:
        raise UserError(f"dvc status {pointer} failed: {ended.stderr.strip()}")
    return bool(json.loads(ended.stdout))
