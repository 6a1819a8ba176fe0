"""Cells of a grid are queued only where their temporary folders will hold what they read; with real git and DVC."""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lookbook.cli.main import app
from lookbook.workspace.raw_data import require_tracked, require_tracked_models
from pipeline.core.errors import UserError
from tests.helpers.repository import ROOT, dvc

SETTINGS = (".gitignore", ".dvcignore", ".dvc/config", ".dvc/.gitignore", "data/raw/.gitkeep")
LINE = """\
stages:
  caption_train:
    foreach: ${captioners}
    do:
      cmd: "echo '{\\"validation_loss\\": '$(wc -l < data/raw/${dataset}/items.csv)'}' > ${key}.json"
      deps:
      - data/raw/${dataset}
      params: [lr]
      metrics:
      - ${key}.json: {cache: false}
  caption_score:
    cmd: cp tiny.json scores.json
    deps: [tiny.json]
    metrics:
    - scores.json: {cache: false}
"""
RAW = Path("data/raw/boutique")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a repository with this project's settings, a line of two stages, and a shop as `lookbook init` leaves it."""
    folder = tmp_path / "project"
    for name in SETTINGS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    monkeypatch.chdir(folder)
    Path("dvc.yaml").write_text(LINE)
    Path("params.yaml").write_text(json.dumps({"dataset": "boutique", "lr": 0.1, "captioners": {"tiny": {}}}))
    Path("grid.yaml").write_text("lr: [0.1, 0.2]")
    RAW.mkdir(parents=True)
    (tmp_path / "goods.csv").write_text("id,title\n1,a dress\n2,a shirt\n")
    (RAW / "items.csv").symlink_to("../../../../goods.csv")
    (RAW / "images.zip").write_bytes(b"pictures")
    for words in (["init", "--quiet"], ["config", "user.name", "x"], ["config", "user.email", "x@localhost"]):
        subprocess.run(["git", *words], check=True)
    commit("First")
    return folder


def commit(message: str) -> None:
    subprocess.run(["git", "add", "--all"], check=True)
    subprocess.run(["git", "commit", "--quiet", "-m", message], check=True)


def add(require: Callable[[], None] = lambda: require_tracked("boutique")) -> None:
    """Run the remedy of the message, as it is written there."""
    with pytest.raises(UserError) as refusal:
        require()
    command = str(refusal.value).partition("run: ")[2].replace("dvc add", f"{shlex.quote(sys.executable)} -m dvc add")
    subprocess.run(command, shell=True, check=True)


@pytest.mark.slow
def test_raw_data_that_nobody_tracks_is_refused_before_anything_is_queued(project: Path) -> None:
    ended = CliRunner().invoke(app, ["grid", "grid.yaml", "--queue"])
    assert ended.exit_code == 1
    assert "data/raw/boutique: in neither git nor DVC" in ended.stderr
    assert "run: dvc add data/raw/boutique && git add data/raw && git commit" in ended.stderr
    assert "No experiment tasks in the queue." in dvc(project, "queue", "status").stdout


@pytest.mark.slow
def test_after_its_remedy_a_cell_runs_in_a_temporary_folder(project: Path) -> None:
    add()
    require_tracked("boutique")
    dvc(project, "exp", "run", "--temp", "--name", "cell", "-S", "lr=0.2", "caption_score")
    shown = json.loads(dvc(project, "metrics", "diff", "HEAD", "cell", "--json").stdout)
    assert shown["scores.json"]["validation_loss"]["new"] == 3


@pytest.mark.slow
def test_raw_data_that_changed_since_is_refused(project: Path) -> None:
    add()
    (RAW / "items.csv").write_text("id,title\n1,a dress\n")
    with pytest.raises(UserError, match=r"data/raw/boutique: changed since it was added.*run: dvc add"):
        require_tracked("boutique")


def test_a_link_is_refused_with_what_to_do(project: Path) -> None:
    RAW.rename(project.parent / "elsewhere")
    RAW.symlink_to(project.parent / "elsewhere")
    with pytest.raises(UserError, match="it is a link, which DVC does not add: move the folder itself there first"):
        require_tracked("boutique")


def test_what_a_stage_makes_or_git_holds_needs_nothing(project: Path) -> None:
    require_tracked("sample")
    subprocess.run(["git", "add", "--force", str(RAW / "images.zip")], check=True)
    commit("In git")
    require_tracked("boutique")


def test_a_tagger_that_git_ignores_is_refused_before_anything_is_queued(project: Path) -> None:
    """The folder that studies/thesis-hm.yaml names: queued cells failed at their first stage."""
    write_model("stanza-en")
    values = {"dataset": "sample", "lr": 0.1, "captioners": {}, "caption_attributes": {"tagger": "stanza-en"}}
    Path("params.yaml").write_text(json.dumps(values))
    ended = CliRunner().invoke(app, ["grid", "grid.yaml", "--queue"])
    assert ended.exit_code == 1
    assert "data/models/stanza-en: in neither git nor DVC" in ended.stderr
    assert "run: dvc add data/models/stanza-en && git add data/models && git commit" in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("folder", "file", "params"),
    [
        ("data/models/stanza-en", "en/pos/combined.pt", {"caption_attributes": {"tagger": "stanza-en"}}),
        ("data/models/bert", "model.safetensors", {"caption_classifier": {"encoder": "bert"}}),
        ("data/models/clip", "hub.json", {"rec_features": {"clip": {"model": "clip"}}}),
        ("data/models/tiny", "model.safetensors", {"captioners": {"tiny": {"family": "llava"}}}),
        ("data/adapters/old", "adapter.safetensors", {"caption_features": {"features_adapter": "old"}}),
    ],
)
def test_after_its_remedy_every_model_is_in_a_temporary_folder(
    project: Path, folder: str, file: str, params: dict[str, object]
) -> None:
    path, params = Path(folder, file), {"captioners": {}} | params
    path.parent.mkdir(parents=True)
    path.write_text("weights")
    add(lambda: require_tracked_models(params))
    require_tracked_models(params)
    clone = project.parent / "clone"
    subprocess.run(["git", "clone", "--quiet", str(project), str(clone)], check=True)
    if (project / ".dvc/cache").exists():
        shutil.copytree(project / ".dvc/cache", clone / ".dvc/cache")
    dvc(clone, "checkout")
    assert (clone / path).read_text() == "weights"


def test_models_of_git_of_packages_and_of_stages_need_nothing(project: Path) -> None:
    write_model("tiny")
    commit("A model")
    Path("data/adapters/tiny").mkdir(parents=True)  # made by caption_train
    require_tracked_models(
        {
            "captioners": {"tiny": {"family": "llava"}},
            "caption_classifier": {"encoder": "minilm"},
            "caption_features": {"captioner": "tiny", "features_adapter": "tiny"},
            "caption_score": {"clip_model": "none"},
        }
    )


def write_model(name: str) -> None:
    Path(f"data/models/{name}").mkdir(parents=True)
    Path(f"data/models/{name}/weights.pt").write_text("weights")
