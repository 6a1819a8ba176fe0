"""Small projects to run commands in: parameters, model folders, and a repository of git and DVC."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
EMPTY_MODELS = ("tiny-blip2-opt", "tiny-blip2-t5", "tiny-llava", "tiny-clip", "tiny-stanza")


def write_project(folder: Path) -> Path:
    """Write the shipped params.yaml and the model folders that it names, without weights; return the folder."""
    for model in EMPTY_MODELS:
        (folder / "data/models" / model).mkdir(parents=True)
        (folder / "data/models" / model / "model.safetensors").touch()
    shutil.copytree(ROOT / "data/models/efficientnet-lite0", folder / "data/models/efficientnet-lite0")
    shutil.copy(ROOT / "params.yaml", folder)
    return folder


def write_repository(folder: Path) -> Path:
    """Make an empty repository of git and DVC with the sample's parameters and models; return the folder."""
    (folder / "data").mkdir()
    (folder / "data/models").symlink_to(ROOT / "data/models")
    for words in (["git", "init", "--quiet"], [sys.executable, "-m", "dvc", "init", "--quiet"]):
        subprocess.run(words, cwd=folder, check=True)
    write_params(folder)
    return folder


def write_params(folder: Path, **changes: Any) -> None:
    """Write the sample's params.yaml with these keys changed."""
    params = YAML(typ="safe", pure=True).load(ROOT / "studies" / "sample.yaml") | changes
    with open(folder / "params.yaml", "w", encoding="utf-8") as file:
        YAML().dump(params, file)
