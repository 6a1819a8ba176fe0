"""`.ci/full` with commands that do nothing: what it could not run is no success."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.helpers.repository import ROOT

NOTHING = "#!/bin/sh\necho Data and pipelines are up to date\n"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Make an environment with a pyenv of two Pythons, all of whose commands do nothing."""
    venv = "#!/bin/sh\nmkdir -p $3/bin; touch $3/bin/activate\n"
    folders = {"bin": NOTHING, "warprec/bin": NOTHING, "vllm/bin": NOTHING}
    folders |= {f"pyenv/versions/{version}/bin": venv for version in ("3.11.7", "3.13.0")}
    for folder, script in folders.items():
        (tmp_path / folder).mkdir(parents=True)
        for name in ("python", "pip", "pytest", "dvc"):
            (tmp_path / folder / name).write_text(script)
            (tmp_path / folder / name).chmod(0o755)
    roots = {"PYENV_ROOT": "pyenv", "WARPREC_VENV": "warprec", "VLLM_VENV": "vllm"}
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, **{name: str(tmp_path / folder) for name, folder in roots.items()}, "PATH": path}


def run_tests(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([".ci/full", "tests"], cwd=ROOT, env=environment, capture_output=True, text=True)


def test_a_supported_python_that_is_missing_fails_at_the_end(environment: dict[str, str], tmp_path: Path) -> None:
    ended = run_tests(environment)
    assert "pytest on Python 3.13" in ended.stdout  # the others run first
    assert (ended.returncode, ended.stderr.strip().splitlines()[-1]) == (
        1,
        "no tests ran on Python 3.12: pyenv install 3.12, and run this again",
    )
    (tmp_path / "pyenv/versions/3.13.0").rename(tmp_path / "pyenv/versions/3.14.0")
    assert "no tests ran on Python 3.12 3.13: " in run_tests(environment).stderr


def test_with_every_supported_python_it_passes(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "pyenv/versions/3.12.1").symlink_to(tmp_path / "pyenv/versions/3.13.0")
    ended = run_tests(environment)
    assert ended.returncode == 0, ended.stderr
