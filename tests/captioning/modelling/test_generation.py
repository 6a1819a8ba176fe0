"""Captions from cached features are those from pixels, in any batch and with an adapter."""

from collections.abc import Callable

import pytest

from captioning.modelling import Captioner, join_images, prepare_images
from tests.captioning.families.examples import IMAGES, add_random_adapter, randomize_weights


@pytest.mark.parametrize("family", ["blip2_opt", "blip2_t5"])
def test_cached_features_give_the_captions_of_pixels(family: str, tiny_captioner: Callable[[str], Captioner]) -> None:
    captioner = add_random_adapter(randomize_weights(tiny_captioner(family)))
    images = prepare_images(captioner, IMAGES)
    expected = captioner.family.generate(captioner, images, 9)
    features = captioner.family.compute_frozen_features(captioner, join_images(images))
    cached = [{"features": values[None]} for values in features]
    assert captioner.family.generate(captioner, cached, 9) == expected
    assert captioner.family.generate(captioner, cached[1:2], 9) == expected[1:2]
    assert len({caption.text for caption in expected}) > 1
