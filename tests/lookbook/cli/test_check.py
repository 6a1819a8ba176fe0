"""`lookbook check`: one line for a file without errors, every error of another, and exit status 1."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from lookbook.cli.main import app
from tests.helpers.projects import write_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the shipped project the working directory."""
    monkeypatch.chdir(write_project(tmp_path))
    return tmp_path


def test_a_right_file_gives_one_line(project: Path) -> None:
    ended = CliRunner().invoke(app, ["check"])
    assert ended.exit_code == 0
    assert ended.stdout.startswith("params.yaml: ok; sample, 3 captioners")
    assert len(ended.stdout.splitlines()) == 1


def test_a_wrong_file_gives_every_error_and_status_1(project: Path) -> None:
    text = Path("params.yaml").read_text()
    Path("mine.yaml").write_text(
        text.replace("lr: 0.0005", "lr: -7").replace("- itemknn", "- itemkn").replace("seed: 42\n\n", "sed: 42\n\n")
    )
    ended = CliRunner().invoke(app, ["check", "mine.yaml"])
    assert ended.exit_code == 1
    assert ended.stdout == ""
    assert ended.stderr.startswith("error: mine.yaml: ")
    for problem in (
        "lr: -7 is not allowed",
        "did you mean itemknn?",
        "sed: unknown key; did you mean seed?",
        "seed: missing",
    ):
        assert problem in ended.stderr


def test_a_missing_file_gives_one_message(project: Path) -> None:
    ended = CliRunner().invoke(app, ["check", "nothing.yaml"])
    assert ended.exit_code == 1
    assert ended.stderr.startswith("error: nothing.yaml: no such file")
