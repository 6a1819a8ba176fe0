"""Captions from cached features are those from pixels; what is too long for a model is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from captioning.modelling import Captioner, join_images, load, prepare_images
from pipeline.core.errors import UserError
from tests.captioning.families import auto_models
from tests.captioning.families.examples import IMAGES, add_random_adapter, force_token, randomize_weights


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


@pytest.mark.parametrize("family", ["blip2_opt", "auto"])
def test_more_tokens_than_the_language_model_has_positions_are_refused(
    family: str, tiny_captioner: Callable[[str], Captioner], tmp_path: Path
) -> None:
    """Family `auto` reads Florence-2 here, whose decoder does not read the prompt."""
    if family == "auto":
        auto_models.save("florence2", tmp_path)
        captioner, before = load(tmp_path, family, torch.float32), 1
    else:
        captioner = tiny_captioner(family)
        before = len(captioner.prompt_ids)
    assert captioner.positions is not None
    images, longest = prepare_images(captioner, IMAGES[:2]), captioner.positions - before + 1
    force_token(captioner, captioner.eos_id, after=10_000)
    assert [caption.tokens for caption in captioner.family.generate(captioner, images, longest)] == [longest] * 2
    with pytest.raises(UserError, match=rf"max_new_tokens: {longest + 1}, but .* choose at most {longest}$"):
        captioner.family.generate(captioner, images, longest + 1)
