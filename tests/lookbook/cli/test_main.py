"""`lookbook` itself: version, help, entry point, memory."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lookbook.cli.main import app
from tests.helpers.projects import write_project

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the shipped project the working directory."""
    monkeypatch.chdir(write_project(tmp_path))
    return tmp_path


def test_the_version_is_that_of_the_package() -> None:
    ended = CliRunner().invoke(app, ["--version"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert ended.stdout == f"lookbook {project['version']}\n"


def test_help_names_every_command() -> None:
    ended = CliRunner().invoke(app, ["--help"])
    assert ended.exit_code == 0
    commands = {path.stem for path in (ROOT / "lookbook/cli").glob("*.py")} - {"__init__", "main"}
    assert {command for command in commands if command in ended.stdout.split()} == commands


def test_the_entry_point_is_this_app() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"lookbook": "lookbook.cli.main:app"}
    ended = subprocess.run(
        [sys.executable, "-m", "lookbook.cli.main", "check", "studies/nothing.yaml"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr


def test_commands_keep_their_memory_as_stages_do(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    monkeypatch.setattr("lookbook.cli.main.keep_freed_memory", lambda: called.append("keep"))
    assert CliRunner().invoke(app, ["check"]).exit_code == 0
    assert called == ["keep"]
