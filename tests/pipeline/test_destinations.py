"""What no command replaces, and where none can write."""

from pathlib import Path

import pytest

from pipeline.core.errors import UserError
from pipeline.destinations import KEPT, check_folder


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
