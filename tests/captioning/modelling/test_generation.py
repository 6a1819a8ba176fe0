"""Captions from cached features are those from pixels, in any batch and with an adapter."""

from collections.abc import Callable

import pytest

from captioning.modelling import Captioner, image_inputs, join_images
from tests.captioning.families.examples import IMAGES, random_adapter, speaking


@pytest.mark.parametrize("family", ["blip2_opt", "blip2_t5"])
def test_cached_features_say_what_pixels_say(family: str, tiny_captioner: Callable[[str], Captioner]) -> None:
    captioner = random_adapter(speaking(tiny_captioner(family)))
    images = image_inputs(captioner, IMAGES)
    expected = captioner.family.generate(captioner, images, 9)
    features = captioner.family.frozen_features(captioner, join_images(images))
    cached = [{"features": one[None]} for one in features]
    assert captioner.family.generate(captioner, cached, 9) == expected
    assert captioner.family.generate(captioner, cached[1:2], 9) == expected[1:2]
    assert len({caption.text for caption in expected}) > 1
