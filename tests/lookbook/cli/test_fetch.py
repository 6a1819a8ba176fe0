"""`lookbook fetch corenlp`: once for this user, or into a folder to carry to a machine without a network."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from captioning.scores.java import corenlp
from lookbook.cli.main import app


def fetch(*options: object) -> Result:
    return CliRunner().invoke(app, ["fetch", "corenlp", *map(str, options)])


def jars(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name in (corenlp.CODE, corenlp.SMALL):
        (folder / name).touch()
    return folder


def test_what_is_there_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKBOOK_CACHE", str(tmp_path))
    monkeypatch.setattr(corenlp, "fetch", lambda folder: pytest.fail("fetched again"))
    jars(corenlp.user_folder())
    ended = fetch()
    assert (ended.exit_code, "has it already" in ended.output) == (0, True)


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    ended = fetch("--to", tmp_path)
    assert ended.exit_code == 1
    assert "holds other files; name a new folder, or an empty one" in ended.output
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_link_to_an_empty_folder_is_refused_before_the_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corenlp, "fetch", lambda folder: pytest.fail("fetched in vain"))
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    ended = fetch("--to", tmp_path / "link")
    assert ended.exit_code == 1
    assert "link: a link; it is not replaced; name a new folder: --to FOLDER" in ended.stderr


@pytest.mark.slow
def test_a_carried_folder_is_found(fetched_corenlp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`$CORENLP` copies it to the user's cache; after that nothing is downloaded."""
    carried = tmp_path / "carried"
    ended = fetch("--to", carried)
    assert ended.exit_code == 0, ended.output
    assert f"CORENLP={carried}" in ended.output
    monkeypatch.setenv("CORENLP", str(carried))
    monkeypatch.setenv("LOOKBOOK_CACHE", str(tmp_path / "cache"))
    assert corenlp.find() == carried
    assert fetch().exit_code == 0
    shutil.rmtree(carried)
    monkeypatch.delenv("CORENLP")
    monkeypatch.chdir(tmp_path)
    assert corenlp.find() == corenlp.user_folder()
    assert corenlp.program_version(corenlp.user_folder()) == corenlp.program_version(fetched_corenlp)
