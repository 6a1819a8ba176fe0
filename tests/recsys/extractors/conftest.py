"""Pictures by item id, and no model cached by an earlier test."""

import numpy as np
import pytest
from PIL import Image

from recsys.extractors import clip, resbert, resnet50


@pytest.fixture(autouse=True)
def forgetful() -> None:
    """Models are cached by name for a process's life; each test has its own under the same names."""
    for load in (clip._load, resnet50._load, resbert._mean):
        load.cache_clear()


@pytest.fixture
def store() -> dict[str, Image.Image]:
    """Seven noisy pictures of different sizes, by item id: what an ImageStore returns."""
    random = np.random.default_rng(0)
    return {
        f"{number:010d}": Image.fromarray(random.integers(0, 256, (40 + number, 48, 3), dtype=np.uint8))
        for number in range(7)
    }
