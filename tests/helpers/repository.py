"""Copy the study that has run here, run real DVC on the copy, and read what DVC did."""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("pipeline", "features", "catalogue", "captioning", "recsys", "lookbook", "sample")
FIRST = "as-it-ran"  # the first commit of a copied study
LOCAL = ".dvc/config.local"
needs_a_study = pytest.mark.skipif(
    not (ROOT / "data/recommendations/all/mostpop.parquet").exists(), reason="run `dvc repro` first"
)


def dvc(folder: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a DVC command in the folder; with `check`, fail the test where DVC fails."""
    command = [sys.executable, "-m", "dvc", *words]
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert not check or result.returncode == 0, result.stdout + result.stderr
    return result


def run_dvc(folder: Path, *words: str) -> None:
    """Run a DVC command in the folder as `dvc` does, but in this process, which has imported DVC; it must not fail."""
    from dvc.cli import main

    with contextlib.chdir(folder):
        assert main(list(words)) == 0, words


def list_run(result: subprocess.CompletedProcess[str]) -> set[str]:
    """List the stages that a `dvc repro` or `dvc exp run` really ran."""
    return set(re.findall(r"Running stage '([^']+)'", result.stdout + result.stderr))


def list_run_or_restored(result: subprocess.CompletedProcess[str]) -> set[str]:
    """List the stages that ran, and those that DVC's run cache restored: they ran in an earlier experiment."""
    restored = re.findall(r"Stage '([^']+)' is cached - skipping run", result.stdout + result.stderr)
    return list_run(result) | set(restored)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of a folder's file names and bytes."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return hashlib.sha256(b"".join(file.name.encode() + file.read_bytes() for file in files)).hexdigest()


def copy_study(copy: Path) -> Path:
    """Clone this project with its working files; the copy shares the cache of the study that has run."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(copy)], check=True)
    for name in ("dvc.lock", "metrics"):
        source = ROOT / name
        shutil.rmtree(copy / name, ignore_errors=True)
        shutil.copytree(source, copy / name) if source.is_dir() else shutil.copy(source, copy / name)
    dvc(copy, "cache", "dir", "--local", str(ROOT / ".dvc" / "cache"))
    dvc(copy, "checkout", "--quiet", check=False)
    for setting in (("user.name", "Study"), ("user.email", "study@localhost")):
        subprocess.run(["git", "config", *setting], cwd=copy, check=True)
    subprocess.run(["git", "add", "-A"], cwd=copy, check=True)
    subprocess.run(["git", "commit", "--quiet", "--allow-empty", "-m", "The study as it ran"], cwd=copy, check=True)
    subprocess.run(["git", "tag", FIRST], cwd=copy, check=True)
    shutil.copy(copy / LOCAL, copy.with_name("config.local"))
    assert list_run(dvc(copy, "repro")) == set()
    return copy


def restore_study(copy: Path) -> None:
    """Bring a copied study back to its first commit, outputs included; files that git ignores stay."""
    shutil.copy(copy.with_name("config.local"), copy / LOCAL)
    edited = read_git(copy, "diff", "--name-only", FIRST).splitlines()
    read_git(copy, "reset", "--hard", "--quiet", FIRST)
    read_git(copy, "clean", "-d", "--force", "--quiet")
    if "dvc.lock" in edited:
        dvc(copy, "checkout", "--quiet")
    assert read_git(copy, "status", "--porcelain") == ""


def read_git(folder: Path, *words: str) -> str:
    """Return what a git command prints."""
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout
