"""Stages of captioning that open pictures write the same bytes with the threads that a GPU gets."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from captioning import features, train
from captioning.generation import batch_files
from captioning.training import examples, feature_cache
from tests.captioning.families import auto_models
from tests.helpers import fine_tuning, generation
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


@pytest.mark.parametrize("family", ["blip2_opt", "llava", "auto"])
def test_caption_train(project: Make, monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    """BLIP-2 computes the features of its frozen vision side; the others open pictures batch by batch."""
    project(family)
    monkeypatch.setattr(train, "Meter", fine_tuning.Unmetered)
    monkeypatch.setattr(feature_cache, "IMAGES_AT_ONCE", 4)
    monkeypatch.setattr(examples, "PREPARED_BYTES", 0)
    check_readers_change_nothing(partial(fine_tuning.run_stage, monkeypatch, family), monkeypatch)


@pytest.mark.parametrize("family", ["blip2_t5", "llava", "auto"])
def test_caption_generate(project: Make, monkeypatch: pytest.MonkeyPatch, family: str) -> None:
    project(family)
    monkeypatch.setattr(batch_files, "OPENED_TOGETHER", 2)
    check_readers_change_nothing(partial(generation.run_stage, monkeypatch, family), monkeypatch)


def test_caption_features(project: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project("blip2_opt")
    (folder / "data/models/tiny").rename(folder / "data/models/tiny-blip2-opt")
    check_readers_change_nothing(features.main, monkeypatch)
