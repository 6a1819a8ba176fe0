"""Pictures by item id, and the options of an extractor."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from recsys.extractors import Options


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
        values = {"image_model": "efficientnet-lite0", "image_size": 64, "clip_model": "tiny-clip", "batch_size": 3}
        return Options.model_validate(values | changed)

    return make
