"""BLIP-2's features: one forward pass per batch, each row with its item, and the reductions of the queries."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from captioning.modelling import Captioner, make_pixel_values
from captioning.vision_features import extraction
from features.components import Blocks
from pipeline.core.errors import UserError

IDS = [f"{number:010d}" for number in (351332007, 5, 108775015, 42, 999999999)]
Make = Callable[[str], Captioner]


@pytest.fixture
def store() -> dict[str, Image.Image]:
    random = np.random.default_rng(0)
    return {item: Image.fromarray(random.integers(0, 256, (36, 30, 3), dtype=np.uint8)) for item in IDS}


@pytest.mark.parametrize("family", ["blip2_opt", "blip2_t5"])
def test_features_equal_the_parts_of_the_model_called_by_hand(tiny_captioner: Make, store: dict, family: str) -> None:
    captioner = tiny_captioner(family)
    visual, queries = extraction.compute_features(captioner, IDS, store, batch_size=2)
    model = captioner.base
    for row, item in enumerate(IDS):
        with torch.inference_mode():
            pixels = make_pixel_values(captioner, [store[item]])
            tokens = model.vision_model(pixels).last_hidden_state  # (1, tokens, width)
            answers = model.qformer(query_embeds=model.query_tokens, encoder_hidden_states=tokens).last_hidden_state
        np.testing.assert_allclose(visual[row], tokens[0].mean(dim=0).numpy(), atol=1e-5)
        np.testing.assert_allclose(queries[row], answers[0].numpy(), atol=1e-5)
    assert queries.shape == (5, model.config.num_query_tokens, model.config.qformer_config.hidden_size)


def test_permuted_ids_keep_every_row_with_its_item(tiny_captioner: Make, store: dict) -> None:
    captioner = tiny_captioner("blip2_opt")
    straight, turned = (extraction.compute_features(captioner, ids, store, batch_size=3) for ids in (IDS, IDS[::-1]))
    for rows, reversed_rows in zip(straight, turned, strict=True):
        np.testing.assert_allclose(rows, reversed_rows[::-1], atol=1e-5)
        assert len(np.unique(rows.reshape(5, -1).round(4), axis=0)) == 5


def test_one_forward_pass_a_batch(tiny_captioner: Make, store: dict) -> None:
    captioner, passes = tiny_captioner("blip2_opt"), []
    captioner.base.vision_model.register_forward_hook(lambda *_: passes.append(1))
    extraction.compute_features(captioner, IDS, store, batch_size=2)
    assert len(passes) == 3


def split_into_blocks(array: np.ndarray, size: int = 7) -> Blocks:
    return lambda: (array[start : start + size] for start in range(0, len(array), size))


def reduce(queries: np.ndarray, how: Any) -> np.ndarray:
    return np.concatenate(list(extraction.reduce_queries(split_into_blocks(queries), how)))


def test_queries_flat_and_mean() -> None:
    queries = np.arange(24.0).reshape(2, 3, 4)
    assert reduce(queries, "flat").tolist() == [list(range(12)), list(range(12, 24))]
    assert reduce(queries, "mean").tolist() == [[4, 5, 6, 7], [16, 17, 18, 19]]
    assert reduce(queries.astype(np.float16), "mean").dtype == np.float32


def test_pca_of_one_item_is_refused() -> None:
    with pytest.raises(UserError, match="at least two items"):
        reduce(np.zeros((1, 3, 4)), "pca95")
