"""A fresh clone, also one of Windows' git: the bytes of this project, and the folder in which raw data is linked."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.helpers.repository import ROOT

FILES = ("dvc.yaml", "params.yaml", "catalogue/prepare.py", "data/raw/.gitkeep", "data/models/tiny-clip/config.json")
IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@localhost")


@pytest.mark.parametrize("setting", ["true", "input", "false"])
def test_a_clone_has_the_same_bytes_whatever_autocrlf_says(tmp_path: Path, setting: str) -> None:
    """Else 63 stages are out of date in it."""
    origin, clone = tmp_path / "origin", tmp_path / "clone"
    for name in (*FILES, ".gitattributes"):
        (origin / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, origin / name)
    (origin / "table.csv").write_bytes(b"a,b\r\n1,2\r\n")
    for words in (["init", "--quiet"], ["add", "--all"], [*IDENTITY, "commit", "--quiet", "-m", "First"]):
        subprocess.run(["git", "-c", f"core.autocrlf={setting}", *words], cwd=origin, check=True, capture_output=True)
    command = ["git", "clone", "--quiet", "-c", f"core.autocrlf={setting}", str(origin), str(clone)]
    subprocess.run(command, check=True)
    for name in (*FILES, "table.csv"):
        assert (clone / name).read_bytes() == (origin / name).read_bytes(), name
    (clone / "data/raw/hm").symlink_to(tmp_path)  # as docs/data.md says: the folder is there
