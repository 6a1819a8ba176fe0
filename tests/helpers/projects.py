"""Small projects to run commands in: parameters, model folders, and a repository of git and DVC."""

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from tests.helpers.params_files import read_sample, write_values

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
    shutil.copytree(_make_empty_repository().name, folder, dirs_exist_ok=True)
    write_params(folder)
    return folder


@cache
def _make_empty_repository() -> tempfile.TemporaryDirectory[str]:
    """Make an empty repository of git and DVC once in this process, to copy it: `dvc init` takes a second."""
    from dvc.repo import Repo

    folder = tempfile.TemporaryDirectory()
    subprocess.run(["git", "init", "--quiet"], cwd=folder.name, check=True)
    Repo.init(folder.name).close()
    return folder


def add_remotes(**urls: str) -> None:
    """Add DVC remotes to the repository in the working directory: name and address."""
    from dvc.config import Config

    with Config.from_cwd().edit() as config:
        config["remote"] |= {name: {"url": url} for name, url in urls.items()}


def write_params(folder: Path, **changes: Any) -> None:
    """Write the sample's params.yaml with these keys changed."""
    params = read_sample() | changes
    write_values(params, folder / "params.yaml")
