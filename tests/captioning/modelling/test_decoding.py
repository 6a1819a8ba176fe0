"""Captions that leave the batch when they are finished: the same words as by transformers' own loop, for less work."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from PIL import Image

from captioning.modelling import Captioner, image_inputs
from captioning.modelling.decoding import LEAVE
from captioning.modelling.generation import greedy
from tests.captioning.families.examples import random_adapter, speaking

FAMILIES = ["blip2_opt", "blip2_t5", "llava"]
LONGEST = 24


def coloured(n: int) -> list[Image.Image]:
    """Images that differ."""
    return [Image.new("RGB", (32, 32), (row * 255 // n, 255 - row * 99 // n, row * 31 % 256)) for row in range(n)]


def ending(captioner: Captioner, images: list[Any]) -> set[int]:
    """Makes the word end captions that these reach at the most different steps; the lengths that they then have."""
    said: list[list[int]] = []

    def as_transformers(model: Any, *args: Any, **options: Any) -> torch.Tensor:
        ids = model._sample(*args, **options)
        said.extend(ids[:, -LONGEST:].tolist())
        return ids

    captioner.eos_ids = [len(captioner.tokenizer) - 1]
    greedy(captioner, images, LONGEST, as_transformers)
    words = sorted({word for row in said for word in row})
    captioner.eos_ids = [max(words, key=lambda word: len({row.index(word) for row in said if word in row}))]
    return {caption.tokens for caption in greedy(captioner, images, LONGEST, None)}


def rows_at_each_step(lengths: list[int]) -> list[int]:
    """Captions leave when an eighth of those in the batch, or more, are finished."""
    steps, step = [], 0
    while lengths:
        steps.append(len(lengths))
        step += 1
        going = [length for length in lengths if length > step]
        if len(lengths) - len(going) >= len(lengths) / LEAVE:
            lengths = going
    return steps


@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_words_are_those_of_transformers_for_less_work(
    family: str, adapted: bool, tiny_captioner: Callable[[str], Captioner]
) -> None:
    captioner = speaking(tiny_captioner(family))
    captioner = random_adapter(captioner) if adapted else captioner
    images = image_inputs(captioner, coloured(20))
    assert len(ending(captioner, images)) > 3
    expected, seen = greedy(captioner, images, LONGEST, None), []
    head = captioner.base.get_output_embeddings()
    head.register_forward_hook(lambda module, inputs, logits: seen.append(len(logits)))
    assert greedy(captioner, images, LONGEST) == expected
    assert seen == rows_at_each_step([caption.tokens for caption in expected])
    assert sum(seen) < 20 * len(seen)
