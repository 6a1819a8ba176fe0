"""BLIP-2's features: one forward pass, each row with its item, and signs that are a property of the data."""

import io
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from captioning import features
from captioning.modelling import Captioner, pixel_values
from pipeline.errors import UserError
from pipeline.features import read_features
from pipeline.outputs import write_parquet

ROOT = Path(__file__).parents[2]
IDS = [f"{number:010d}" for number in (351332007, 5, 108775015, 42, 999999999)]
Make = Callable[[str], Captioner]


@pytest.fixture
def store() -> dict[str, Image.Image]:
    random = np.random.default_rng(0)
    return {item: Image.fromarray(random.integers(0, 256, (36, 30, 3), dtype=np.uint8)) for item in IDS}


@pytest.mark.parametrize("family", ["blip2_opt", "blip2_t5"])
def test_features_equal_the_parts_of_the_model_called_by_hand(tiny_captioner: Make, store: dict, family: str) -> None:
    captioner = tiny_captioner(family)
    visual, queries = features.features(captioner, IDS, store, batch_size=2)
    model = captioner.base
    for row, item in enumerate(IDS):
        with torch.inference_mode():
            tokens = model.vision_model(pixel_values(captioner, [store[item]])).last_hidden_state  # (1, tokens, width)
            answers = model.qformer(query_embeds=model.query_tokens, encoder_hidden_states=tokens).last_hidden_state
        np.testing.assert_allclose(visual[row], tokens[0].mean(dim=0).numpy(), atol=1e-5)
        np.testing.assert_allclose(queries[row], answers[0].numpy(), atol=1e-5)
    assert queries.shape == (5, model.config.num_query_tokens, model.config.qformer_config.hidden_size)


def test_permuted_ids_find_every_row_still_with_its_item(tiny_captioner: Make, store: dict) -> None:
    captioner = tiny_captioner("blip2_opt")
    straight, turned = (features.features(captioner, ids, store, batch_size=3) for ids in (IDS, IDS[::-1]))
    for one, other in zip(straight, turned, strict=True):
        np.testing.assert_allclose(one, other[::-1], atol=1e-5)
        assert len(np.unique(one.reshape(5, -1).round(4), axis=0)) == 5


def test_one_forward_pass_a_batch(tiny_captioner: Make, store: dict) -> None:
    captioner, passes = tiny_captioner("blip2_opt"), []
    captioner.base.vision_model.register_forward_hook(lambda *_: passes.append(1))
    features.features(captioner, IDS, store, batch_size=2)
    assert len(passes) == 3


def test_queries_flat_and_mean() -> None:
    queries = np.arange(24.0).reshape(2, 3, 4)
    assert features.reduce_queries(queries, "flat").tolist() == [list(range(12)), list(range(12, 24))]
    assert features.reduce_queries(queries, "mean").tolist() == [[4, 5, 6, 7], [16, 17, 18, 19]]


def test_pca_keeps_the_variance_and_no_component_more() -> None:
    random = np.random.default_rng(0)
    array = random.normal(size=(60, 12)) * np.array([8, 5, 3, 2, 1, *[0.3] * 7])
    kept = features.keep_variance(array, 0.95)
    assert kept.shape == (60, 4)
    total = array.var(axis=0).sum()
    assert kept.var(axis=0).sum() >= 0.95 * total > kept[:, :-1].var(axis=0).sum()
    distances = lambda rows: np.linalg.norm(rows[:, None] - rows[None], axis=2)  # noqa: E731
    full = features.keep_variance(array, 0.999999)
    np.testing.assert_allclose(distances(full), distances(array), rtol=1e-2)


def test_pca_has_the_signs_of_the_data_and_not_of_the_solver() -> None:
    array = np.random.default_rng(1).normal(size=(40, 6))
    kept = features.keep_variance(array, 0.95)
    np.testing.assert_array_equal(features.keep_variance(array, 0.95), kept)
    np.testing.assert_allclose(
        features.keep_variance(np.vstack([array[20:], array[:20]]), 0.95), np.vstack([kept[20:], kept[:20]]), atol=1e-5
    )
    components, *_ = np.linalg.lstsq(array - array.mean(axis=0), kept, rcond=None)  # (6, kept)
    assert all(column[np.abs(column).argmax()] > 0 for column in components.T)


def test_pca_of_one_item_is_refused() -> None:
    with pytest.raises(UserError, match="at least two items"):
        features.reduce_queries(np.zeros((1, 3, 4)), "pca95")


@pytest.fixture
def study(tmp_path: Path, tiny_folder: Callable[[str], Path], store: dict) -> Path:
    """A project of five pictures whose writer has random weights."""
    tiny_folder("blip2_opt").rename(tmp_path / "weights")
    (tmp_path / "data/models").mkdir(parents=True)
    (tmp_path / "weights").rename(tmp_path / "data/models/tiny-blip2-opt")
    rows = []
    for item in store:
        buffer = io.BytesIO()
        store[item].save(buffer, "PNG")
        rows.append({"item_id": item, "jpeg": buffer.getvalue(), "width": 30, "height": 36})
    write_parquet(tmp_path / "data/prepared/images/00000.parquet", pd.DataFrame(rows))
    write_parquet(tmp_path / "data/prepared/items.parquet", pd.DataFrame({"item_id": sorted(store)}))
    return tmp_path


def test_the_stage_writes_both_feature_sets(study: Path, store: dict) -> None:
    (study / "params.yaml").write_text((ROOT / "params.yaml").read_text().replace("queries: flat", "queries: mean"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "captioning.features"], cwd=study, env=environment, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    captioner = features.load_captioner(study / "data/models/tiny-blip2-opt", "blip2_opt", "cpu", threads=1)
    visual, queries = features.features(captioner, IDS, store, batch_size=5)
    folder = study / "data/features/image"
    np.testing.assert_allclose(read_features(folder / "blip2-visual").rows(IDS), visual, atol=2e-3)
    np.testing.assert_allclose(read_features(folder / "blip2-queries").rows(IDS), queries.mean(axis=1), atol=2e-3)


def test_a_family_without_these_features_is_found_before_torch_is_imported(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(
        (ROOT / "params.yaml").read_text().replace("  family: blip2_opt", "  family: llava")
    )
    code = "import sys\nfrom captioning.features import main\ntry: main()\nexcept Exception as error: print(error, 'torch' in sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert "no known family with BLIP-2 features; must be one of: blip2_opt, blip2_t5" in ended.stdout
    assert ended.stdout.strip().endswith("False")
