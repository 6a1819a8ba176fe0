"""The parameter files of the repository."""

import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from pipeline.model_folders import read_pin

ROOT = Path(__file__).parent.parent
AXES = ["captioners", "catalogues", "texts", "recommenders", "content_recommenders", "image_features"]
AXES += [
    "text_features",
    "warm_content_recommenders",
    "warm_image_features",
    "warm_text_features",
    "arrival_features",
    "sources",
    "imputations",
    "warm_imputations",
]
SWEPT = ["dataset", "lr", "batch_size", "epochs", "lora_rank", "lora_layers", "seed", "captions", "catalogue", "writer"]
FILES = [ROOT / "params.yaml", *sorted((ROOT / "studies").glob("*.yaml"))]
THESES = sorted((ROOT / "studies").glob("thesis-*.yaml"))
SIX = ["blip2-opt-2.7b", "blip2-opt-6.7b", "blip2-flan-t5-xl", "blip2-flan-t5-xxl", "llava-1.5-7b", "llava-1.5-13b"]
CAPTION_CELLS = ("caption_train", "caption_generate_pt", "caption_generate_ft")


def values(path: Path) -> dict[str, Any]:
    return YAML(typ="safe").load(path)


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
def test_a_set_parameter_changes_its_own_line_alone(path: Path, tmp_path: Path) -> None:
    """What `dvc exp run -S seed=7` does with the file; a diff of two experiments then shows what was set."""
    file = Path(shutil.copy(path, tmp_path / path.name))
    apply_overrides(file, ["seed=7"])
    before, after = (name.read_text(encoding="utf-8").splitlines() for name in (path, file))
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert [new.split("#")[0].strip() for _, new in changed] == ["seed: 7"]


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
    """DVC rewrites the file in block style, an empty list as `[]`; another style would then differ."""
    written = [line.split("#")[0].rstrip() for line in path.read_text().splitlines()]
    assert not [line for line in written if line.endswith("]") and not line.endswith(": []")]


@pytest.mark.parametrize("path", THESES, ids=lambda path: path.name)
def test_a_study_names_every_key_of_the_sample(path: Path) -> None:
    def keys(values: dict[str, Any], prefix: str = "") -> list[str]:
        names = []
        for key, value in values.items():
            inner = value if isinstance(value, dict) and key != "captioners" else {}
            names += [prefix + key, *keys(inner, f"{prefix}{key}.")]
        return names

    assert keys(values(path)) == keys(values(ROOT / "studies/sample.yaml"))


@pytest.mark.parametrize("path", THESES, ids=lambda path: path.name)
def test_a_thesis_study_is_the_published_setting(path: Path) -> None:
    study = values(path)
    best = {"lr": 1e-4, "batch_size": 16, "lora_layers": "query-value", "lora_rank": 32, "seed": 42}
    assert {key: study[key] for key in best} == best
    assert list(study["captioners"]) == SIX
    train = study["caption_train"]
    assert (train["lora_alpha"], train["lora_dropout"], train["use_rslora"], train["precision"]) == (
        64,
        0.05,
        True,
        "bf16",
    )
    attributes = study["caption_attributes"]
    assert [attributes[key] for key in ("unit", "hyphen", "participles", "corpus")] == ["form", "join", False, "all"]
    fit = study["rec_fit"]
    assert (fit["userknn"]["k"], fit["itemknn"]["k"], fit["vbpr"]["variant"]) == (10, 20, "ducho")
    assert {key: fit["bpr"][key] for key in fit["bpr"]} == {key: fit["vbpr"][key] for key in fit["bpr"]}
    assert study["rec_interactions"]["evaluation"] == "published"
    for model in (
        *(section["model"] for section in study["rec_features"].values()),
        *(study["caption_classifier"]["encoder"], study["caption_features"]["captioner"], *SIX),
    ):
        assert read_pin(ROOT / "data/models" / model)["revision"], model


@pytest.mark.slow
@pytest.mark.parametrize("path", THESES, ids=lambda path: path.name)
def test_dvc_lists_every_cell_of_a_study(path: Path, tmp_path: Path) -> None:
    """`cp studies/thesis-hm.yaml params.yaml`, and what `dvc stage list --all` then prints."""
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    shutil.copy(path, tmp_path / "params.yaml")
    for words in (["init", "--no-scm", "--quiet"], ["stage", "list", "--all", "--name-only"]):
        command = [sys.executable, "-m", "dvc", *words]
        listed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert listed.returncode == 0, listed.stderr
    cells, study = set(listed.stdout.split()), values(path)
    expected = {f"{stage}@{name}" for stage in CAPTION_CELLS for name in SIX}
    for stage, *axes in (
        ("rec_fit", "catalogues", "recommenders"),
        ("rec_fit_image", "catalogues", "warm_content_recommenders", "warm_image_features"),
        ("rec_fit_text", "texts", "warm_content_recommenders", "warm_text_features"),
    ):
        expected |= {f"{stage}@{'-'.join(names)}" for names in product(*(study[axis] for axis in axes))}
    assert expected <= cells
    by_axes = ("rec_fit@", "rec_fit_image@", "rec_fit_text@", *(f"{stage}@" for stage in CAPTION_CELLS))
    assert {cell for cell in cells if cell.startswith(by_axes)} == expected
    assert {"catalogue_prepare", "caption_score", "rec_score", "compare", "report"} <= cells
