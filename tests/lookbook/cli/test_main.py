"""`lookbook` itself: version, help, entry point, memory."""

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
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


def list_options() -> list[tuple[str, Any]]:
    """List the options of every command, also of those in groups, with the command's name."""

    def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        for child, own in getattr(command, "commands", {}).items():
            yield from walk(f"{name} {child}".strip(), own)
        yield from ((name, option) for option in command.params if option.param_type_name == "option")

    return list(walk("", get_command(app)))


def test_options_are_named_alike_in_every_command() -> None:
    """A flag has no negation that does what leaving it out does; --json names a file; each says what it is for."""
    options = list_options()
    assert [(name, option.secondary_opts) for name, option in options if option.secondary_opts] == []
    assert [name for name, option in options if "--json" in option.opts and option.is_flag] == []
    assert sum("--json" in option.opts for _, option in options) >= 4
    assert [(name, option.opts) for name, option in options if not option.help] == []


@pytest.mark.parametrize(
    "words",
    [
        "compare a b --json taken",
        "doctor --json taken",
        "elliot import lists --json taken",
        "elliot run folder --json taken",
        "evaluate --train a --test b --recs c --json taken",
        "evaluate --train a --test b --recs c --per-user taken",
        "figure slope --out taken.svg",
        "grid cells.yaml --csv taken",
        "recommend --train a --model mostpop --out taken",
        "score a --json taken",
        "score a --per-item taken.csv",
        "warprec import lists --json taken",
        "warprec run folder --json taken",
    ],
)
def test_a_folder_in_the_place_of_an_output_is_refused_before_anything_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    """There is nothing else in the working directory: what is read first would be refused."""
    monkeypatch.chdir(tmp_path)
    *_, option, name = words.split()
    Path(name).mkdir()
    ended = CliRunner().invoke(app, words.split())
    assert (ended.exit_code, ended.stderr) == (1, f"error: {option} {name}: a folder; name a file\n")


@pytest.mark.parametrize(
    ("error", "stderr"),
    [
        (PermissionError(13, "Permission denied", "a.json"), "error: a.json: Permission denied\n"),
        (OSError(18, "Invalid cross-device link", "a.partial", None, "a"), "error: a: Invalid cross-device link\n"),
        (FileNotFoundError(2, "No such file or directory", b"a"), "error: a: No such file or directory\n"),
        (OSError(28, "No space left on device"), ""),
        (ValueError("a defect"), ""),
    ],
    ids=["one file", "two files", "bytes", "no file", "a defect"],
)
def test_what_the_system_refuses_is_one_line_where_it_names_a_file(
    monkeypatch: pytest.MonkeyPatch, error: Exception, stderr: str
) -> None:
    def fail(_: Path) -> list[str]:
        raise error

    monkeypatch.setattr("lookbook.workspace.check.find_problems", fail)
    ended = CliRunner().invoke(app, ["check"])
    assert (ended.exit_code, ended.stderr) == (1, stderr)
    assert isinstance(ended.exception, SystemExit) == bool(stderr)  # else a traceback


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
