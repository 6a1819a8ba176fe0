"""Captioners with random weights, small enough to be built in every test."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from captioning.modelling import Captioner
from sample.pretraining.architectures import Size, create_captioner
from sample.pretraining.tokenizer import train_tokenizer
from tests.helpers.params_files import read_sample, write_values

TEXTS = [
    "a red shirt with short sleeves",
    "striped blue trousers in cotton twill with a zip fly and button",
    "USER: Describe the appearance of the clothing item ASSISTANT:",
]
SMALL = Size(image=32, vision_width=16, vision_layers=1, queries=3, qformer_layers=1, text_width=16, text_layers=2)


@pytest.fixture(scope="session")
def tiny_captioner() -> Callable[[str], Captioner]:
    """`tiny_captioner(family)`: a new captioner with the same random weights each time, images of 32 pixels."""

    def build(family: str) -> Captioner:
        torch.manual_seed(0)
        untrained = create_captioner(family, train_tokenizer(family, TEXTS, 320), SMALL)
        untrained.model.eval()
        return untrained

    return build


@pytest.fixture
def tiny_folder(tiny_captioner: Callable[[str], Captioner], tmp_path: Path) -> Callable[[str], Path]:
    """`tiny_folder(family)`: such a captioner saved as a model folder, float16 safetensors and processor files."""
    return lambda family: _save(tiny_captioner(family), tmp_path / "models" / family)


def _save(captioner: Captioner, folder: Path) -> Path:
    captioner.model.half().save_pretrained(folder)
    captioner.processor.save_pretrained(folder)
    return folder


@pytest.fixture
def tiny_project(
    write_tiny_project: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Path]:
    """`tiny_project(family, {"lr": 0.01, "caption_train.patience": 3})`: a project to train and to caption in.

    It has data/prepared (24 items for training, 8 for validation, 4 for the test, 2 without description; `times` as
    many), the captioner as data/models/tiny and a params.yaml with a short run; it becomes the working directory.
    """

    def make(family: str, changes: dict[str, object] | None = None, times: int = 1) -> Path:
        project = tmp_path / "project"
        write_tiny_project(project, family, changes, times)
        monkeypatch.chdir(project)
        return project

    return make


@pytest.fixture(scope="session")
def write_tiny_project(tiny_captioner: Callable[[str], Captioner]) -> Callable[..., None]:
    """`write_tiny_project(folder, family)`: the same in any folder, for a run that several tests share."""

    def write(project: Path, family: str, changes: dict[str, object] | None = None, times: int = 1) -> None:
        _write_prepared(project / "data" / "prepared", times)
        _save(tiny_captioner(family), project / "data" / "models" / "tiny")
        _write_params(project / "params.yaml", SHORT_RUN | (changes or {}))

    return write


@pytest.fixture
def short_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let runs write samples of a few tokens after each epoch: of 64 they take a third of the time of a short run."""
    monkeypatch.setattr("captioning.training.callbacks.SAMPLE_TOKENS", 8)


SHORT_RUN = {
    "lr": 0.01,
    "batch_size": 8,
    "epochs": 3,
    "lora_rank": 4,
    "machine.device_batch_size": 8,
    "machine.checkpoint_steps": 2,
    "caption_generate.max_new_tokens": 6,
    "caption_generate.batch_size": 4,
}


def _write_params(path: Path, changes: dict[str, object]) -> None:
    params = read_sample()
    for name, value in changes.items():
        *sections, key = name.split(".")
        (params[sections[0]] if sections else params)[key] = value
    write_values(params, path)


def _write_prepared(folder: Path, times: int) -> None:
    random = np.random.default_rng(0)
    splits = ["train"] * 24 * times + ["validation"] * 8 * times + ["test"] * 4 * times + [None] * 2 * times
    words = " ".join(TEXTS[:2]).split()
    rows, images = [], []
    for number, split in enumerate(splits):
        text = " ".join(random.choice(words, size=random.integers(2, 9))) if split else None
        rows.append({"item_id": f"{number:010d}", "description": text, "split": split})
        jpeg = io.BytesIO()
        Image.fromarray(random.integers(0, 255, (32, 32, 3), dtype=np.uint8)).save(jpeg, "JPEG")
        images.append({"item_id": f"{number:010d}", "jpeg": jpeg.getvalue(), "width": 32, "height": 32})
    (folder / "images").mkdir(parents=True)
    pd.DataFrame(rows).to_parquet(folder / "items.parquet")
    pd.DataFrame(images).to_parquet(folder / "images" / "00000.parquet", row_group_size=1)
