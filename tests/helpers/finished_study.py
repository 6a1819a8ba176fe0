"""The line as shipped in a folder of its own, some of its cells as if they had run, and `dvc status` there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def dvc(*words: str) -> str:
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    ended = subprocess.run([sys.executable, "-m", "dvc", *words], capture_output=True, text=True, env=environment)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def stages() -> list[str]:
    return dvc("stage", "list", "--all", "--name-only").split()


def status(cells: list[str]) -> dict[str, object]:
    """What is not current, by cell."""
    return json.loads(dvc("status", "--json", *cells))


def as_if_run(folder: Path, copied: list[str], cells: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies these folders of the project and goes there; what the cells read and write is there, and committed."""
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
        paths = [Path(str(one.def_path)) for stage in chosen for one in (*stage.deps, *stage.outs)]
    for path in paths:
        if not path.exists() and path.name != "params.yaml":
            (path if path.suffix else path / "file").parent.mkdir(parents=True, exist_ok=True)
            (path if path.suffix else path / "file").write_text("made")
    dvc("commit", "--force", "--quiet", *cells)
