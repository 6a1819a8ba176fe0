"""The command line as users meet it."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lookbook.cli.main import app

ROOT = Path(__file__).parents[3]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for model in ("tiny-blip2-opt", "tiny-blip2-t5", "tiny-llava", "tiny-clip", "tiny-stanza", "efficientnet-lite0"):
        (tmp_path / "data/models" / model).mkdir(parents=True)
        (tmp_path / "data/models" / model / "model.safetensors").touch()
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_version_is_that_of_the_package() -> None:
    ended = CliRunner().invoke(app, ["--version"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert ended.stdout == f"lookbook {project['version']}\n"


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


def test_help_names_the_commands() -> None:
    ended = CliRunner().invoke(app, ["--help"])
    assert ended.exit_code == 0
    assert "check" in ended.stdout


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
