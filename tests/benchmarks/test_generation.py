"""The arms of the generation benchmark: one image at a time and in batches, with the same words."""

import argparse
import importlib.util
from pathlib import Path

import pytest
import torch

from captioning.modelling import load

SOURCE = Path(__file__).parent.parent.parent / "benchmarks" / "generation.py"
spec = importlib.util.spec_from_file_location("generation", SOURCE)
assert spec is not None
assert spec.loader is not None
generation = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generation)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(generation.FAMILIES))
def test_both_arms_write_the_same_captions(name: str, tmp_path: Path) -> None:
    ids = generation.draw(tmp_path / "images", 5)
    arguments = argparse.Namespace(images=tmp_path / "images", batch_size=3, max_new_tokens=20, precision="fp32")
    captioner = load(generation.MODELS / name, generation.FAMILIES[name], torch.float32)
    captions = generation.single(captioner, ids, arguments)
    assert generation.ours(captioner, ids, arguments) == captions
    assert len(set(captions)) > 1
    assert all(captions)


def test_the_clock_counts_work_and_waiting_apart() -> None:
    seconds: dict[str, float] = {}
    with generation.clock(seconds):
        generation.time.sleep(0.2)
    assert seconds["wall"] >= 0.2
    assert seconds["cpu"] < 0.1
