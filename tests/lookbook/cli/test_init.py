"""`lookbook init`: it names each column and the next command, and refuses wrong options."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.projects import ROOT
from tests.helpers.raw_data import write_sample, write_shop


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an empty project the working directory, with the files of a shop in `elsewhere/`."""
    (tmp_path / "sample").mkdir()
    write_shop(write_sample(tmp_path / "sample"), tmp_path / "elsewhere")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/models").symlink_to(ROOT / "data/models")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_says_which_column_is_what_and_what_comes_next(project: Path) -> None:
    words = [
        "--name",
        "boutique",
        "--items",
        "elsewhere/catalogue.csv",
        "--images",
        "elsewhere/pictures",
        "--column",
        "description=title",
    ]
    words += ["--captioner", "tiny-llava", "--family", "llava"]
    ended = subprocess.run([sys.executable, "-m", "lookbook.cli.main", "init", *words], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "  product: style" in ended.stdout
    assert "no purchases: the study is about captions alone; recommendations are off" in ended.stdout
    assert "next: cp studies/boutique.yaml params.yaml && lookbook doctor && dvc repro report" in ended.stdout


def test_a_wrong_column_option_is_named(project: Path) -> None:
    words = [
        "--name",
        "boutique",
        "--items",
        "elsewhere/catalogue.csv",
        "--images",
        "elsewhere/pictures",
        "--column",
        "words=title",
    ]
    ended = subprocess.run([sys.executable, "-m", "lookbook.cli.main", "init", *words], capture_output=True, text=True)
    assert ended.returncode == 1
    assert "--column words: must be what=NAME with what one of: item, description" in ended.stderr
