import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from catalogue import prepare
from tests.helpers.raw_data import SMALL_SAMPLE, write_sample

REFERENCE = Path(__file__).parents[2] / "studies" / "sample.yaml"
SMALL = {
    "sample_shop": SMALL_SAMPLE,
    "catalogue_prepare": {"min_items_per_type": 4},
}

WriteParams = Callable[..., None]


def write_params(**changes: Any) -> None:
    """params.yaml in the working directory: the shipped one, small, with these changes; a section changes key by key."""
    params = YAML(typ="safe", pure=True).load(REFERENCE)
    for part in (SMALL, changes):
        for key, value in part.items():
            params[key] = params[key] | value if isinstance(value, dict) else value
    with open("params.yaml", "w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(params, file)


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WriteParams:
    """An empty project as working directory, with small parameters; call it to change them."""
    monkeypatch.chdir(tmp_path)
    write_params()
    return write_params


@pytest.fixture(scope="session")
def small_shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's raw folder, small, made once."""
    return write_sample(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="session")
def small_prepared(small_shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the small shop prepared, made once; not to be changed."""
    folder = tmp_path_factory.mktemp("prepared")
    shutil.copytree(small_shop, folder / "data/raw/sample")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_params()
        prepare.main()
    return folder


@pytest.fixture
def shop(study: WriteParams, small_shop: Path) -> Path:
    """A copy of the small shop in the working project, to be spoiled at will."""
    return Path(shutil.copytree(small_shop, "data/raw/sample"))
