"""Write dvc.yaml with some of its cells committed as finished, in a folder of its own, and read `dvc status` there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def dvc(*words: str) -> str:
    """Run a DVC command in the working directory and return what it prints."""
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    ended = subprocess.run([sys.executable, "-m", "dvc", *words], capture_output=True, text=True, env=environment)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def list_cells() -> list[str]:
    """List every cell of dvc.yaml."""
    return dvc("stage", "list", "--all", "--name-only").split()


def read_status(cells: list[str]) -> dict[str, object]:
    """Return what is not current, by cell."""
    return json.loads(dvc("status", "--json", *cells))


def write_finished_study(folder: Path, copied: list[str], cells: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the folder the working directory, with cells that DVC takes for finished.

    Args:
        folder: an empty folder.
        copied: folders of the project to copy there.
        cells: their other dependencies and their outputs become small files, which are committed.
        monkeypatch: changes the working directory.
    """
    from dvc.repo import Repo

    for name in ("dvc.yaml", "params.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, folder)
    for name in copied:
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(folder)
    subprocess.run(["git", "init", "--quiet"], check=True)
    dvc("init", "--quiet")
    with Repo(".") as repo:
        chosen = [stage for stage in repo.index.stages if stage.addressing in cells]
        paths = [Path(str(entry.def_path)) for stage in chosen for entry in (*stage.deps, *stage.outs)]
    for path in paths:
        if not path.exists() and path.name != "params.yaml":
            file = path if path.suffix else path / "file"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("made")
    dvc("commit", "--force", "--quiet", *cells)
