"""Stages of captioning that open pictures write the same bytes with the threads that a GPU gets."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from PIL import Image

from captioning import features, train
from captioning.generation import batch_files
from captioning.modelling import load, prepare_images
from captioning.training import examples, feature_cache
from pipeline.prefetch import prefetch
from tests.captioning.families import auto_models
from tests.helpers import fine_tuning, generation
from tests.helpers.full import slowly
from tests.helpers.readers import check_readers_change_nothing

pytestmark = pytest.mark.usefixtures("short_samples")
Make = Callable[[str], Path]


@pytest.fixture
def project(tiny_project: generation.Project) -> Make:
    """`project(family)`: 152 pictures and a captioner; of family `auto` its prompt differs by image."""

    def make(family: str) -> Path:
        folder = tiny_project("blip2_opt" if family == "auto" else family, {"epochs": 1}, times=4)
        if family == "auto":
            shutil.rmtree(folder / "data/models/tiny")
            auto_models.save("qwen2_vl", folder / "data/models/tiny")
        return folder

    return make


@pytest.mark.parametrize("family", ["blip2_opt", *slowly("llava", "auto")])
def test_caption_train(project: Make, monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    """BLIP-2 computes the features of its frozen vision side; the others open pictures batch by batch."""
    project(family)
    monkeypatch.setattr(train, "Meter", fine_tuning.Unmetered)
    monkeypatch.setattr(feature_cache, "IMAGES_AT_ONCE", 4)
    monkeypatch.setattr(examples, "PREPARED_BYTES", 0)
    check_readers_change_nothing(partial(fine_tuning.run_stage, monkeypatch, family), monkeypatch)


@pytest.mark.parametrize("family", ["blip2_t5", *slowly("llava", "auto")])
def test_caption_generate(project: Make, monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    project(family)
    monkeypatch.setattr(batch_files, "OPENED_TOGETHER", 2)
    check_readers_change_nothing(partial(generation.run_stage, monkeypatch, family), monkeypatch)


def test_caption_features(project: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project("blip2_opt")
    (folder / "data/models/tiny").rename(folder / "data/models/tiny-blip2-opt")
    check_readers_change_nothing(features.main, monkeypatch)


def test_threads_share_a_tokenizer_whose_file_pads_and_cuts(tmp_path: Path) -> None:
    """Rust's tokenizer fails ("Already borrowed") where one thread resets such settings while another encodes."""
    auto_models.save("qwen2_vl", tmp_path / "model")
    tokenizer = tmp_path / "model" / "tokenizer.json"
    padding = {"strategy": {"Fixed": 40}, "direction": "Right", "pad_to_multiple_of": None}
    padding |= {"pad_id": 0, "pad_type_id": 0, "pad_token": "<pad>"}
    truncation = {"direction": "Right", "max_length": 4096, "strategy": "LongestFirst", "stride": 0}
    values = json.loads(tokenizer.read_text()) | {"padding": padding, "truncation": truncation}
    tokenizer.write_text(json.dumps(values))
    captioner = load(tmp_path / "model", "auto", torch.float32)
    images = [Image.new("RGB", (32 + 8 * (number % 5), 40), (number, 0, 0)) for number in range(200)]
    alone, together = (
        list(prefetch(lambda image: prepare_images(captioner, [image])[0], images, threads)) for threads in (0, 8)
    )
    for one, other in zip(alone, together, strict=True):
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
