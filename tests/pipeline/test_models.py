"""Where a model is: its folder, or the hub at a pinned revision."""

import json
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.models import read_keys, where


def test_a_folder_with_weights_is_loaded_from_disk_alone(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert where(tmp_path) == {"pretrained_model_name_or_path": str(tmp_path), "local_files_only": True}


def test_a_hub_model_has_its_revision(tmp_path: Path) -> None:
    (tmp_path / "hub.json").write_text(json.dumps({"id": "microsoft/resnet-50", "revision": "34c2154"}))
    assert where(tmp_path) == {"pretrained_model_name_or_path": "microsoft/resnet-50", "revision": "34c2154"}


@pytest.mark.parametrize(
    "text",
    [
        '{"id": "a/b"}',
        '{"id": "a/b", "revision": ""}',
        '{"id": "a/b", "revision": "1", "x": "y"}',
        "[]",
        "{",
        '{"id": "a/b", "revision": 1}',
    ],
)
def test_a_hub_file_with_other_keys_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "hub.json").write_text(text)
    with pytest.raises(UserError, match=r"hub\.json"):
        where(tmp_path)


def test_an_empty_folder_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no model here"):
        where(tmp_path / "resnet50")


def test_the_pin_of_the_package_is_complete() -> None:
    folder = Path(__file__).parent.parent.parent / "data/models/efficientnet-lite0"
    pinned = read_keys(folder / "package.json", "package", "version", "sha256")
    assert f'"{pinned["package"]}=={pinned["version"]}"' in (folder.parent.parent.parent / "pyproject.toml").read_text()
