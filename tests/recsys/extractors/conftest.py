"""Pictures by item id, and the options of an extractor."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from recsys.extractors import Options, clip, resbert, resnet50


@pytest.fixture(autouse=True)
def forgetful() -> None:
    """Models are kept by name for a process's life; each test has its own under the same names."""
    for load in (clip._load, resnet50._load, resbert._mean):
        load.cache_clear()


@pytest.fixture
def store() -> dict[str, Image.Image]:
    """Seven noisy pictures of different sizes, by item id: what an ImageStore is asked for."""
    random = np.random.default_rng(0)
    return {
        f"{number:010d}": Image.fromarray(random.integers(0, 256, (40 + number, 48, 3), dtype=np.uint8))
        for number in range(7)
    }


@pytest.fixture
def options() -> Callable[..., Options]:
    def make(**changed: object) -> Options:
        models = {"image_model": "efficientnet-lite0", "text_model": "minilm", "clip_model": "tiny-clip"}
        values = models | {"image_size": 64, "batch_size": 3, "precision": "fp32", "reduce": "none"}
        return Options.model_validate(values | changed)

    return make
