"""Packed batches: what a model computes of each caption alone, without computing padding."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn
from transformers import AttentionInterface

from captioning.modelling import Captioner, apply_lora, collate, make_example, prepare_images, tokenize
from captioning.modelling.lora import find_language_model
from captioning.training import packing
from captioning.training.loss import sum_loss
from tests.captioning.training.test_loss import CAPTIONS, batch_of, without_dropout

PACKED = ["blip2_opt", "llava"]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.integers(1, 3))
def test_padding_and_packing_undo_each_other(lengths: list[int], width: int) -> None:
    mask = torch.tensor([[1] * length + [0] * (max(lengths) - length) for length in lengths])
    places = packing.find_places(mask)
    packed = torch.arange(1.0, 1 + sum(lengths) * width).view(1, -1, width)
    padded = places.pad(packed)
    assert torch.equal(places.pack(padded), packed)
    for row, length in zip(padded, lengths, strict=True):
        assert not row[length:].any()
    alone = packed[0].split(lengths)
    assert all(torch.equal(row[:length], part) for row, length, part in zip(padded, lengths, alone, strict=True))


@pytest.mark.parametrize("family", PACKED)
def test_layers_compute_no_padding(family: str, tiny_captioner: Callable[[str], Captioner]) -> None:
    """The layers see as many tokens as there are, in one row; a padded batch of these captions has many more."""
    captioner = tiny_captioner(family)
    batch, shapes = batch_of(captioner, CAPTIONS), set()
    language_model = captioner.base.get_submodule(find_language_model(captioner.base))
    for module in language_model.modules():
        if isinstance(module, nn.LayerNorm) or type(module).__name__ == "LlamaRMSNorm":
            module.register_forward_hook(lambda *args: shapes.add(args[2].shape[:-1].numel()))
    with torch.no_grad():
        sum_loss(captioner, captioner.model, batch)
    assert shapes == {int(batch["attention_mask"].sum())}
    assert batch["attention_mask"].numel() > batch["attention_mask"].sum()


@pytest.mark.parametrize("family", PACKED)
def test_no_mask_of_all_pairs_of_tokens_is_made(
    family: str, tiny_captioner: Callable[[str], Captioner], monkeypatch: pytest.MonkeyPatch
) -> None:
    captioner, masks = tiny_captioner(family), []

    def attend(*args: Any, **kwargs: Any) -> tuple[torch.Tensor, None]:
        masks.append(args[4])
        return packing.attend(*args, **kwargs)

    monkeypatch.setitem(AttentionInterface._global_mapping, packing.ATTENTION, attend)
    sum_loss(captioner, captioner.model, batch_of(captioner, CAPTIONS))
    assert masks
    assert all(mask is None for mask in masks)


@pytest.mark.parametrize("family", [*PACKED, "blip2_t5"])
def test_loss_and_gradient_are_those_of_each_caption_alone(
    family: str, tiny_captioner: Callable[[str], Captioner]
) -> None:
    """A batch of one caption has no padding, so that nothing of packing or padding is in what is compared with."""
    torch.manual_seed(0)
    captioner = apply_lora(tiny_captioner(family), "all-linear", 4, 8, 0.0, True)
    without_dropout(captioner)
    weights = [weight for weight in captioner.model.parameters() if weight.requires_grad]
    for weight in weights:
        nn.init.normal_(weight, std=0.05)
    batch = batch_of(captioner, CAPTIONS)
    together = sum_loss(captioner, captioner.model, batch)
    gradients = torch.autograd.grad(together, weights)
    examples = [make_example(captioner, None, ids) for ids in tokenize(captioner, CAPTIONS)]
    images = [{"pixel_values": pixels[None]} for pixels in batch["pixel_values"]]
    alone = [
        sum_loss(captioner, captioner.model, collate([example], [image], captioner.pad_id))
        for example, image in zip(examples, images, strict=True)
    ]
    torch.testing.assert_close(together, sum(alone), rtol=1e-5, atol=0)
    expected = torch.autograd.grad(sum(alone), weights)
    for ours, theirs in zip(gradients, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("family", PACKED)
def test_a_model_that_was_trained_packed_writes_the_same_captions(
    family: str, tiny_captioner: Callable[[str], Captioner]
) -> None:
    """The attention of packed batches stays with the model; where nothing is packed it is the usual one."""
    captioner = tiny_captioner(family)
    before = write_captions(captioner)
    sum_loss(captioner, captioner.model, batch_of(captioner, CAPTIONS)).backward()
    assert write_captions(captioner) == before


def write_captions(captioner: Captioner) -> list[Any]:
    pictures = [Image.new("RGB", (32, 32), (shade, 90, 200 - shade)) for shade in (0, 60, 190)]
    return captioner.family.generate(captioner, prepare_images(captioner, pictures), 8)
