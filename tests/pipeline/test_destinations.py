"""What no command replaces, and where none can write."""

import os
from pathlib import Path

import pytest

from pipeline.core.errors import UserError
from pipeline.destinations import KEPT, check_file, check_folder


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder below another the working directory."""
    here = tmp_path / "studies/own"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    return here


def test_new_and_other_folders_may_be_replaced() -> None:
    Path("old").mkdir()
    Path("old/README.md").touch()
    for name in ("old", "new", "new/deep", "../other"):
        check_folder("--out", Path(name))


@pytest.mark.parametrize("out", [".", "..", "../../", "../own", "/"])
def test_the_working_directory_and_those_above_it_are_kept(out: str) -> None:
    with pytest.raises(UserError, match=r"^--out .*: the working directory, or a folder above it; .*: --out FOLDER$"):
        check_folder("--out", Path(out))


@pytest.mark.parametrize("name", KEPT)
def test_repositories_and_studies_are_kept(name: str) -> None:
    Path("mine").mkdir()
    Path("mine", name).touch()
    with pytest.raises(UserError, match=f"^--to mine: holds {name}; it is not replaced"):
        check_folder("--to", Path("mine"))


def test_links_are_kept() -> None:
    Path("mine").mkdir()
    Path("link").symlink_to("mine")
    Path("dangling").symlink_to("nothing")
    for name in ("link", "dangling"):
        with pytest.raises(UserError, match=f"^--out {name}: a link"):
            check_folder("--out", Path(name))


def test_files_may_be_new_or_replaced() -> None:
    Path("old.json").touch()
    for name in ("old.json", "new.json", "new/deep/er.json", "../other.json"):
        check_file("--json", Path(name))
    check_file("--json", None)
    assert sorted(Path().iterdir()) == [Path("old.json")]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder", "--json folder: a folder; name a file"),
        (".", "--json .: a folder"),
        (os.devnull, f"--json {os.devnull}: a device"),
        ("old.json/new.json", r"--json old.json/new.json: .*/old.json is no folder; name a file in a folder"),
        ("dangling/new.json", r"--json dangling/new.json: .*/dangling is no folder"),
    ],
)
def test_where_no_file_can_be_written(name: str, message: str) -> None:
    Path("folder").mkdir()
    Path("old.json").touch()
    Path("dangling").symlink_to("nothing")
    with pytest.raises(UserError, match=f"^{message}"):
        check_file("--json", Path(name))


def test_where_this_user_may_not_write(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: path != folder)  # root may write everywhere
    with pytest.raises(UserError, match=f"^--out new/file: no permission to write in {folder}; name a file elsewhere$"):
        check_file("--out", Path("new/file"))
