"""A copy of the study that has run here, and real DVC on it."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
needs_a_study = pytest.mark.skipif(
    not (ROOT / "data/recommendations/all/mostpop.parquet").exists(), reason="run `dvc repro` first"
)


def dvc(folder: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dvc", *words]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert not check or result.returncode == 0, result.stdout + result.stderr
    return result


def ran(result: subprocess.CompletedProcess[str]) -> set[str]:
    """Stages that a `dvc repro` or `dvc exp run` really ran."""
    return set(re.findall(r"Running stage '([^']+)'", result.stdout + result.stderr))


def ran_or_restored(result: subprocess.CompletedProcess[str]) -> set[str]:
    """The same with what DVC's run cache already knew: an experiment that has been made here before."""
    return ran(result) | set(re.findall(r"Stage '([^']+)' is cached - skipping run", result.stdout + result.stderr))


def digest(folder: Path) -> str:
    """Of a folder with all its files, or of a file."""
    files = [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()


def copy_of_study(copy: Path) -> Path:
    """A clone of this project, with its working files, that shares the cache of the study that has run."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(copy)], check=True)
    for name in ("dvc.lock", "metrics"):
        source = ROOT / name
        shutil.rmtree(copy / name, ignore_errors=True)
        shutil.copytree(source, copy / name) if source.is_dir() else shutil.copy(source, copy / name)
    dvc(copy, "cache", "dir", "--local", str(ROOT / ".dvc" / "cache"))
    dvc(copy, "checkout", "--quiet", check=False)
    for who in (("user.name", "Study"), ("user.email", "study@localhost")):
        subprocess.run(["git", "config", *who], cwd=copy, check=True)
    subprocess.run(["git", "add", "-A"], cwd=copy, check=True)
    subprocess.run(["git", "commit", "--quiet", "--allow-empty", "-m", "The study as it ran"], cwd=copy, check=True)
    assert ran(dvc(copy, "repro")) == set()
    return copy
