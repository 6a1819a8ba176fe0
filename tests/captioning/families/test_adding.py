"""A new family is one file, and a captioner of it one line: what other captioners made stays current, as `dvc status` sees it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[3]
CELLS = [f"{stage}@tiny-llava" for stage in ("caption_train", "caption_generate_pt", "caption_generate_ft")]


def dvc(*words: str) -> str:
    environment = {**os.environ, "DVC_NO_ANALYTICS": "1"}
    ended = subprocess.run([sys.executable, "-m", "dvc", *words], capture_output=True, text=True, env=environment)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def status() -> dict[str, object]:
    return json.loads(dvc("status", "--json", *CELLS))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The line as shipped, its cells of one captioner as if they had run: what they read and write is there."""
    from dvc.repo import Repo

    for name in ("dvc.yaml", "params.yaml", ".dvcignore"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("pipeline", "catalogue", "captioning", "data/models/tiny-llava"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    subprocess.run(["git", "init", "--quiet"], check=True)
    dvc("init", "--quiet")
    with Repo(".") as repo:
        stages = [stage for stage in repo.index.stages if stage.addressing in CELLS]
        paths = [Path(str(one.def_path)) for stage in stages for one in (*stage.deps, *stage.outs)]
    for path in paths:
        if not path.exists() and path.name != "params.yaml":
            (path if path.suffix else path / "file").parent.mkdir(parents=True, exist_ok=True)
            (path if path.suffix else path / "file").write_text("made")
    dvc("commit", "--force", "--quiet", *CELLS)
    return tmp_path


@pytest.mark.slow
def test_a_new_family_leaves_the_others_current(project: Path) -> None:
    assert status() == {}
    shutil.copy("captioning/families/llava.py", "captioning/families/mine.py")
    shutil.copytree("data/models/tiny-llava", "data/models/mine")
    yaml = YAML()
    params = yaml.load(Path("params.yaml"))
    params["captioners"]["mine"] = {"family": "mine"}
    yaml.dump(params, Path("params.yaml"))
    assert "caption_train@mine" in dvc("stage", "list", "--all", "--name-only")
    assert status() == {}
    with open("captioning/families/llava.py", "a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert set(status()) == set(CELLS)
