"""Whether queued experiments will find their inputs: they run in temporary folders that hold what git and DVC track."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lookbook.workspace.check import ADAPTERS, list_named_models
from pipeline.core.errors import UserError
from pipeline.model_folders import MODELS

RAW = Path("data/raw")
MADE = ("sample",)  # data sets that a stage makes


def require_tracked(dataset: str) -> None:
    """Refuse a data set that temporary folders of experiments would lack, or have in an older state.

    Raises:
        UserError: the raw data is neither in git nor in DVC, or has changed since it was added; the message has the
            commands that add it.
    """
    if dataset not in MADE:
        _require(RAW / dataset, f"Raw data of {dataset}")


def require_tracked_models(params: Mapping[str, Any]) -> None:
    """Refuse folders of models and adapters that a study names and that temporary folders would lack.

    Raises:
        UserError: as `require_tracked`.
    """
    for name in list_named_models(params):
        _require(MODELS / name, f"Model {name}")
    adapter = (params.get("caption_features") or {}).get("features_adapter")
    if adapter is not None and adapter not in params["captioners"]:
        _require(ADAPTERS / str(adapter), f"Adapter {adapter}")


def _require(folder: Path, title: str) -> None:
    if not folder.exists() or _in_commit(folder):
        return
    pointer = Path(f"{folder}.dvc")
    add = f"dvc add {folder} && git add {folder.parent}"
    if folder.parent == ADAPTERS or (folder / "hub.json").is_file():  # small, and git ignores .dvc files of adapters
        add = f"git add --force {folder}"
    commands = f"{add} && git commit -m '{title}'"
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
