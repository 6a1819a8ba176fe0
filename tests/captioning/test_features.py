"""The stage caption_features: both feature sets, an adapter's features, and what is refused."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from ruamel.yaml import YAML

from captioning import features
from captioning.modelling import apply_lora, load
from captioning.vision_features.extraction import compute_features
from features.files import read_features
from pipeline.core.errors import UserError
from pipeline.core.outputs import write_parquet
from tests.helpers.code_deps import code_deps

ROOT = Path(__file__).parents[2]
IDS = [f"{number:010d}" for number in (351332007, 5, 108775015, 42, 999999999)]


@pytest.fixture
def store() -> dict[str, Image.Image]:
    random = np.random.default_rng(0)
    return {item: Image.fromarray(random.integers(0, 256, (36, 30, 3), dtype=np.uint8)) for item in IDS}


@pytest.fixture
def study(tmp_path: Path, tiny_folder: Callable[[str], Path], store: dict) -> Path:
    """Makes a project of five pictures whose captioner has random weights."""
    tiny_folder("blip2_opt").rename(tmp_path / "weights")
    (tmp_path / "data/models").mkdir(parents=True)
    (tmp_path / "weights").rename(tmp_path / "data/models/tiny-blip2-opt")
    rows = []
    for item in store:
        buffer = io.BytesIO()
        store[item].save(buffer, "PNG")
        rows.append({"item_id": item, "jpeg": buffer.getvalue(), "width": 30, "height": 36})
    (tmp_path / "data/prepared/images").mkdir(parents=True)
    pd.DataFrame(rows).to_parquet(tmp_path / "data/prepared/images/00000.parquet", row_group_size=1)
    write_parquet(tmp_path / "data/prepared/items.parquet", pd.DataFrame({"item_id": sorted(store)}))
    return tmp_path


def set_params(study: Path, **changes: object) -> None:
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    params["caption_features"] |= {"batch_size": 2} | changes
    yaml.dump(params, study / "params.yaml")


def save_adapter(study: Path, scope: Any) -> None:
    """Saves an adapter whose second matrix is not zero, unlike that of a new adapter."""
    torch.manual_seed(0)
    loaded = load("data/models/tiny-blip2-opt", "blip2_opt", torch.float32)
    captioner = apply_lora(loaded, "all-linear", 4, 64, 0.0, True, scope)
    for name, parameter in captioner.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    captioner.model.save_pretrained(study / "data/adapters/tiny-blip2-opt")


def read_written(study: Path) -> tuple[np.ndarray, np.ndarray]:
    visual, queries = (read_features(study / "data/features/image" / name).take(IDS) for name in features.NAMES)
    return visual, queries


def test_the_stage_writes_both_feature_sets(study: Path, store: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study)
    set_params(study, queries="mean")
    features.main()
    captioner = load(study / "data/models/tiny-blip2-opt", "blip2_opt", torch.float32)
    expected = compute_features(captioner, IDS, store, batch_size=5)
    visual, queries = read_written(study)
    np.testing.assert_allclose(visual, expected[0], atol=2e-3)
    np.testing.assert_allclose(queries, expected[1].mean(axis=1), atol=2e-3)
    assert list((study / ".checkpoints").iterdir()) == []


def test_features_of_an_adapter_that_reaches_the_vision_side(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study)
    save_adapter(study, "all")
    set_params(study)
    features.main()
    plain = read_written(study)
    set_params(study, features_adapter="tiny-blip2-opt")
    features.main()
    tuned = read_written(study)
    for before, after in zip(plain, tuned, strict=True):
        assert before.shape == after.shape
        assert not np.allclose(before, after, atol=0.05)


def test_an_adapter_of_the_language_model_is_refused(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study)
    save_adapter(study, "language")
    set_params(study, features_adapter="tiny-blip2-opt")
    with pytest.raises(UserError, match="trained with lora_scope: language and changes no image feature"):
        features.main()


def test_a_run_that_was_killed_resumes(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study)
    set_params(study)
    features.main()
    expected = [path.read_bytes() for path in sorted((study / "data/features/image").rglob("*.npy"))]
    monkeypatch.setattr("features.shards.SHARD_ITEMS", 2)
    calls = []

    def dies(*args: Any) -> Any:
        calls.append(args[1])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return compute_features(*args)

    monkeypatch.setattr("captioning.vision_features.extraction.compute_features", dies)
    with pytest.raises(KeyboardInterrupt):
        features.main()
    features.main()
    assert [len(keys) for keys in calls] == [2, 2, 2, 1]
    assert calls[2] == calls[1]
    assert [path.read_bytes() for path in sorted((study / "data/features/image").rglob("*.npy"))] == expected


def test_bfloat16_is_near(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study)
    set_params(study)
    features.main()
    full = read_written(study)
    set_params(study, precision="bf16")
    features.main()
    for expected, rounded in zip(full, read_written(study), strict=True):
        assert not np.array_equal(expected, rounded)
        np.testing.assert_allclose(expected, rounded, atol=0.1)


def test_an_item_without_picture_is_named(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study)
    set_params(study)
    write_parquet(study / "data/prepared/items.parquet", pd.DataFrame({"item_id": [*IDS, "0000000007"]}))
    with pytest.raises(UserError, match="1 of 6 items have no picture, first 0000000007"):
        features.main()


def test_a_missing_gpu_is_refused(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study)
    set_params(study)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (study / "params.yaml").write_text((study / "params.yaml").read_text().replace("device: cpu", "device: cuda"))
    with pytest.raises(UserError, match="device: cuda, but PyTorch finds no GPU here; use device: cpu"):
        features.main()


def test_a_family_without_these_features_is_found_before_torch_is_imported(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(
        (ROOT / "params.yaml").read_text().replace("  family: blip2_opt", "  family: llava")
    )
    code = (
        "import sys\nfrom captioning.features import main\n"
        "try: main()\nexcept Exception as error: print(error, 'torch' in sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert "no known family with BLIP-2 features; must be one of: blip2_opt, blip2_t5" in ended.stdout
    assert ended.stdout.strip().endswith("False")


def test_the_key_covers_the_code_that_the_line_names() -> None:
    """tests/test_line.py compares the deps of dvc.yaml with what a cell imports; a folder of the key covers them."""
    listed = [Path(code) for code in (*features.CODE, "captioning/families/blip2_opt.py")]
    needed = [Path(dep) for dep in code_deps("caption_features", "blip2_opt")]
    assert sorted(str(dep) for dep in needed if not any(code in (dep, *dep.parents) for code in listed)) == []
