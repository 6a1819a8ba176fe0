"""An empty project, and a small sample shop, raw and prepared."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from catalogue import prepare
from tests.helpers.params_files import read_sample, write_values
from tests.helpers.raw_data import SMALL_SAMPLE, write_sample

SMALL = {
    "sample_shop": SMALL_SAMPLE,
    "catalogue_prepare": {"min_items_per_type": 4},
}

WriteParams = Callable[..., None]


def write_params(**changes: Any) -> None:
    """Write params.yaml to the working directory: the shipped file, for a small shop, with these changes.

    A section changes key by key.
    """
    params = read_sample()
    for part in (SMALL, changes):
        for key, value in part.items():
            params[key] = params[key] | value if isinstance(value, dict) else value
    write_values(params, "params.yaml")


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteParams:
    """Make an empty project the working directory, with small parameters; call it to change them."""
    monkeypatch.chdir(tmp_path)
    write_params()
    return write_params


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw a small sample shop once; not to be changed."""
    return write_sample(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="session")
def small_prepared(small_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prepare the small shop once; not to be changed."""
    folder = tmp_path_factory.mktemp("prepared")
    shutil.copytree(small_shop, folder / "data/raw/sample")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_params()
        prepare.main()
    return folder


@pytest.fixture
def shop(study: WriteParams, small_shop: Path) -> Path:
    """Copy the small shop into the working project, for tests that damage it."""
    return Path(shutil.copytree(small_shop, "data/raw/sample"))
