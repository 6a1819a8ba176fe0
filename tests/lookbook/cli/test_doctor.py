"""`lookbook doctor`: findings as lines or JSON, and exit status 1 where one is an error."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lookbook.cli.main import app
from tests.helpers.projects import write_params, write_repository


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty repository with this project's parameters and small models the working directory."""
    monkeypatch.chdir(write_repository(tmp_path))
    return tmp_path


@pytest.mark.slow
def test_the_command_writes_json_and_fails_on_an_error(project: Path) -> None:
    write_params(project, dataset="hm")
    result = CliRunner().invoke(app, ["doctor", "--json", "found.json"])
    assert result.exit_code == 1, result.output
    findings = {finding["subject"]: finding["status"] for finding in json.loads((project / "found.json").read_text())}
    assert findings["data"] == "error"
    assert findings["python"] == "ok"


def test_a_finding_is_a_line_with_its_remedy_below(project: Path) -> None:
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("ok       python: Python 3")
    remote = lines.index("warning  remote: no DVC remote: data is on this machine alone")
    assert lines[remote + 1] == f"{'':9}→ dvc remote add -d NAME URL"
