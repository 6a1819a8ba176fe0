"""The parameter files as they are in the repository."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
AXES = ["captioners", "catalogues", "texts", "recommenders", "image_features", "text_features"]
SWEPT = ["dataset", "lr", "batch_size", "epochs", "lora_rank", "lora_layers", "seed", "captions", "catalogue", "writer"]
FILES = [ROOT / "params.yaml", *sorted((ROOT / "studies").glob("*.yaml"))]


def values(path: Path) -> dict[str, Any]:
    return YAML(typ="safe", pure=True).load(path)


def leaves(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for part in value.values() for leaf in leaves(part)]
    if isinstance(value, list):
        return [leaf for part in value for leaf in leaves(part)]
    return [value]


def test_the_default_study_is_the_sample() -> None:
    assert (ROOT / "params.yaml").read_bytes() == (ROOT / "studies/sample.yaml").read_bytes()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_yaml_11_reads_the_same_values(path: Path) -> None:
    """DVC reads YAML 1.2, other tools 1.1, where `on` is true and `1e-05` a text: no value may depend on that."""
    assert yaml.safe_load(path.read_text()) == values(path)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_booleans_are_written_true_and_false(path: Path) -> None:
    written = [line.split("#")[0].partition(":")[2].strip() for line in path.read_text().splitlines()]
    assert not {"on", "off", "yes", "no", "y", "n"} & {word.lower() for word in written}
    assert sum(word in ("true", "false") for word in written) == sum(
        isinstance(leaf, bool) for leaf in leaves(values(path))
    )


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_axes_come_last_and_have_no_comments(path: Path) -> None:
    """`dvc exp run -S` drops a comment that follows a list."""
    keys = list(values(path))
    assert keys[-len(AXES) :] == AXES
    text = path.read_text()
    assert "#" not in text[text.index("\ncaptioners:") :]


def test_the_command_of_the_readme_changes_something() -> None:
    assert values(ROOT / "params.yaml")["lr"] != 1e-4  # dvc exp run -S lr=1e-4


def test_what_users_sweep_is_a_key_of_the_root() -> None:
    assert set(SWEPT) <= set(values(ROOT / "params.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_lists_are_in_block_style(path: Path) -> None:
    """DVC rewrites the file in block style, and the sample would no longer equal it."""
    assert not [line for line in path.read_text().splitlines() if line.split("#")[0].rstrip().endswith("]")]
