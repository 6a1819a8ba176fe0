"""Batches: images of different shapes side by side, and tokens padded on either side."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from captioning.families import llava
from captioning.modelling import Captioner, Example, collate, join_images, make_example
from captioning.modelling.encoding import pad_examples

SHAPES = st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=5)


@given(SHAPES)
def test_joined_images_hold_every_image_and_zeros_elsewhere(shapes: list[tuple[int, int, int]]) -> None:
    images = [{"pixel_values": torch.rand(shape) + 1, "prompt_input_ids": torch.ones(1, 2)} for shape in shapes]
    joined = join_images(images)
    assert set(joined) == {"pixel_values"}
    row, total = 0, 0.0
    for image in images:
        n, height, width = image["pixel_values"].shape
        assert torch.equal(joined["pixel_values"][row : row + n, :height, :width], image["pixel_values"])
        row, total = row + n, total + image["pixel_values"].sum().item()
    assert len(joined["pixel_values"]) == row
    assert joined["pixel_values"].sum().item() == pytest.approx(total, rel=1e-5)


def test_masks_and_cached_features_join_too() -> None:
    masks = join_images([{"mask": torch.ones(1, 2, dtype=torch.int64)}, {"mask": torch.ones(1, 3, dtype=torch.int64)}])
    assert masks["mask"].tolist() == [[1, 1, 0], [1, 1, 1]]
    features = [{"features": torch.rand(1, 3, 4)} for _ in range(2)]
    assert torch.equal(join_images(features)["features"], torch.cat([image["features"] for image in features]))
    assert join_images([]) == {}
    assert join_images([{}, {}]) == {}


@given(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=6), min_size=1, max_size=5), st.booleans())
def test_tokens_are_padded_on_one_side(rows: list[list[int]], left: bool) -> None:
    examples = [Example(row, [], {"token_type_ids": [1] * len(row)}) for row in rows]
    batch = pad_examples(examples, pad_id=0, left=left)
    for name, expected in [("input_ids", rows), ("attention_mask", [[1] * len(row) for row in rows])]:
        for ids, row in zip(batch[name].tolist(), expected, strict=True):
            padding = [0] * (len(ids) - len(row))
            assert ids == (padding + row if left else row + padding)
    assert torch.equal(batch["token_type_ids"], batch["attention_mask"])


def test_a_batch_for_training_is_padded_on_the_right() -> None:
    examples = [Example([5], [5], {"kind": [1]}), Example([6, 7, 8], [-100, 8], {"kind": [1, 0, 1]})]
    batch = collate(examples, [{}, {}], pad_id=9)
    assert batch["input_ids"].tolist() == [[5, 9, 9], [6, 7, 8]]
    assert batch["attention_mask"].tolist() == [[1, 0, 0], [1, 1, 1]]
    assert batch["kind"].tolist() == [[1, 0, 0], [1, 0, 1]]
    assert batch["labels"].tolist() == [[5, -100], [-100, 8]]


def test_image_tokens_are_counted_once_for_an_example(
    tiny_captioner: Callable[[str], Captioner], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Families may count by building the prompt; a token in a caption is still refused."""
    captioner, counts = tiny_captioner("llava"), []
    count = llava.count_image_tokens
    monkeypatch.setattr(llava, "count_image_tokens", lambda *arguments: counts.append(1) or count(*arguments))
    assert make_example(captioner, None, [7, 8]).labels[-3:] == [7, 8, captioner.eos_id]
    assert len(counts) == 1
    with pytest.raises(ValueError, match="does a caption contain the image token"):
        make_example(captioner, None, [captioner.image_token_id])
