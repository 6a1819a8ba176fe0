"""The arms of the benchmark of image features: one image at a time and in batches, with the same vectors."""

import argparse
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalogue.prepared.images import ImageStore

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("image_features", BENCHMARKS / "image_features.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.chdir(tmp_path)
    return module


@pytest.mark.slow
@pytest.mark.parametrize(("name", "dim"), [("resnet50", 512), ("clip", 512), ("blip2", 32 * 192)])
def test_both_arms_make_the_same_vectors(name: str, dim: int, benchmark: Any) -> None:
    benchmark.generation.draw(Path("images"), 5)
    benchmark.MODELS[name](Path("data/models") / name, 4)
    arguments = argparse.Namespace(batch_size=2, precision="fp32", device="cpu", threads=1)
    store = ImageStore("images")
    single, ours = benchmark.prepare_arms(name, store, arguments)
    alone, batched = single(store.ids), ours(store.ids)
    assert alone.shape == (5, dim)
    if name == "clip":
        alone = alone / np.linalg.norm(alone, axis=1, keepdims=True)
    np.testing.assert_allclose(batched, alone, rtol=1e-3, atol=1e-4)
    assert len(np.unique(alone.round(4), axis=0)) == 5
