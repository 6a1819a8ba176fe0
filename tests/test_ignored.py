"""What git and DVC ignore: raw data that was added stays, outputs stay out of git, and both read .gitignore alike."""

import shutil
import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo

from tests.helpers.repository import ROOT, digest, run_dvc

RAW = "data/raw/boutique"
SETTINGS = (".gitignore", ".dvcignore", ".dvc/config", ".dvc/.gitignore")
WRITTEN_BY_DVC = [f"{RAW}.dvc", "data/raw/.gitignore"]


def git(folder: Path, *words: str, text: str | None = None) -> list[str]:
    """Run git and return the lines it prints; `check-ignore` ends with 1 where it prints none."""
    ended = subprocess.run(["git", *words], cwd=folder, input=text, capture_output=True, text=True)
    assert ended.returncode == 0 or (words[0], ended.returncode) == ("check-ignore", 1), ended.stderr
    return ended.stdout.splitlines()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Make a repository with this project's settings of git and DVC, raw data in a folder, and a remote."""
    folder = tmp_path / "project"
    for name in (*SETTINGS, "data/raw/.gitkeep"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    git(folder, "init", "--quiet")
    for key in ("user.name", "user.email"):
        git(folder, "config", key, "test@example.org")
    run_dvc(folder, "remote", "add", "--default", "shared", str(tmp_path / "remote"))
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "-m", "First")
    (folder / RAW / "images").mkdir(parents=True)
    (folder / RAW / "items.csv").write_text("id,description\n1,a red shirt\n")
    (folder / RAW / "images" / "1.jpg").write_bytes(b"a picture")
    return folder


@pytest.fixture
def added(project: Path) -> Path:
    """Add the raw data to DVC, and its .dvc file to git."""
    run_dvc(project, "add", RAW)
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "-m", "Raw data")
    return project


def test_dvc_finds_raw_data_that_was_added(added: Path) -> None:
    with Repo(str(added)) as repo:
        assert [str(out) for out in repo.index.outs] == [str(Path(RAW))]
    assert [name for name in git(added, "ls-files", "data") if name != "data/raw/.gitignore"] == [
        "data/raw/.gitkeep",
        f"{RAW}.dvc",
    ]


def test_a_checkout_keeps_raw_data(added: Path) -> None:
    before = digest(added / RAW)
    run_dvc(added, "checkout")
    assert digest(added / RAW) == before


def test_raw_data_is_pushed_and_pulled(added: Path) -> None:
    before = digest(added / RAW)
    run_dvc(added, "push")
    shutil.rmtree(added / RAW)
    shutil.rmtree(added / ".dvc" / "cache")
    run_dvc(added, "pull")
    assert digest(added / RAW) == before


def test_collecting_garbage_keeps_raw_data(added: Path) -> None:
    before = digest(added / RAW)
    run_dvc(added, "gc", "--workspace", "--force")
    shutil.rmtree(added / RAW)
    run_dvc(added, "checkout")
    assert digest(added / RAW) == before


def test_git_and_dvc_look_into_every_folder_with_a_tracked_file() -> None:
    """DVC tests a folder with a slash at its end, and leaves out everything in an ignored folder."""
    tracked = [*git(ROOT, "ls-files", "data"), *WRITTEN_BY_DVC]
    assert {"data/raw/.gitkeep", "data/captions/.gitkeep", "data/adapters/none/README.txt"} <= set(tracked)
    assert "data/models/tiny-clip/model.safetensors" in tracked
    assert git(ROOT, "check-ignore", "--no-index", "--stdin", text="\n".join(tracked)) == []
    with Repo(str(ROOT)) as repo:
        folders = {f"{parent}/" for name in tracked for parent in Path(name).parents if str(parent) != "."}
        assert {"data/", "data/raw/", "data/adapters/none/"} <= folders
        assert [name for name in sorted({*tracked, *folders}) if repo.scm.is_ignored(str(ROOT) + "/" + name)] == []


def test_git_and_dvc_ignore_every_output_that_is_cached() -> None:
    """For an output that is a folder, test a file in it: `/reports/` ignores the folder alone."""
    expected = {f"{RAW}/items.csv": True, RAW: True, "data/adapters/mine/adapter_config.json": True}
    with Repo(str(ROOT)) as repo:
        for out in repo.index.outs:
            path = Path(out.fs_path).relative_to(ROOT)
            expected[(path if path.suffix else path / "file").as_posix()] = out.use_cache
        by_dvc = {name for name in expected if repo.scm.is_ignored(str(ROOT / name))}
    by_git = set(git(ROOT, "check-ignore", "--no-index", "--stdin", text="\n".join(expected)))
    assert by_git == by_dvc == {name for name, cached in expected.items() if cached}
    assert not all(expected.values())
