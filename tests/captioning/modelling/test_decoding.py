"""Captions that leave the batch when they are finished: the words of transformers' own loop, for less work."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from PIL import Image

from captioning.modelling import Captioner, prepare_images
from captioning.modelling.decoding import DROP_AT_ONE_IN
from captioning.modelling.generation import generate_greedily
from tests.captioning.families.examples import add_random_adapter, randomize_weights

FAMILIES = ["blip2_opt", "blip2_t5", "llava"]
LONGEST = 24


def make_images(n: int) -> list[Image.Image]:
    """Makes images of different colours."""
    return [Image.new("RGB", (32, 32), (row * 255 // n, 255 - row * 99 // n, row * 31 % 256)) for row in range(n)]


def choose_eos(captioner: Captioner, images: list[Any]) -> set[int]:
    """Makes a word EOS so that captions have as many different lengths as possible, and returns these lengths."""
    rows: list[list[int]] = []

    def decode_as_transformers(model: Any, *args: Any, **options: Any) -> torch.Tensor:
        ids = model._sample(*args, **options)
        rows.extend(ids[:, -LONGEST:].tolist())
        return ids

    captioner.eos_ids = [len(captioner.tokenizer) - 1]
    generate_greedily(captioner, images, LONGEST, decode_as_transformers)
    words = sorted({word for row in rows for word in row})
    captioner.eos_ids = [max(words, key=lambda word: len({row.index(word) for row in rows if word in row}))]
    return {caption.tokens for caption in generate_greedily(captioner, images, LONGEST, None)}


def count_rows_at_each_step(lengths: list[int]) -> list[int]:
    """Counts the rows of each step: captions leave when an eighth of the batch, or more, is finished."""
    steps, step = [], 0
    while lengths:
        steps.append(len(lengths))
        step += 1
        going = [length for length in lengths if length > step]
        if len(lengths) - len(going) >= len(lengths) / DROP_AT_ONE_IN:
            lengths = going
    return steps


@pytest.mark.parametrize("tuned", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_words_are_those_of_transformers_for_less_work(
    family: str, tuned: bool, tiny_captioner: Callable[[str], Captioner]
) -> None:
    captioner = randomize_weights(tiny_captioner(family))
    captioner = add_random_adapter(captioner) if tuned else captioner
    images = prepare_images(captioner, make_images(20))
    assert len(choose_eos(captioner, images)) > 3
    expected, n_rows = generate_greedily(captioner, images, LONGEST, None), []
    head = captioner.base.get_output_embeddings()
    head.register_forward_hook(lambda module, inputs, logits: n_rows.append(len(logits)))
    assert generate_greedily(captioner, images, LONGEST) == expected
    assert n_rows == count_rows_at_each_step([caption.tokens for caption in expected])
    assert sum(n_rows) < 20 * len(n_rows)
