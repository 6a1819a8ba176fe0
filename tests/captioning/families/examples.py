"""Captions and images of the contract, and what its tests do with a captioner."""

from typing import Any

import torch
from PIL import Image

from captioning.modelling import IGNORED, Captioner, Example, ImageInputs, apply_lora, collate, example, token_ids
from captioning.training.loss import summed_loss, supervised

CAPTIONS = ["a red shirt", "striped blue trousers in cotton twill with a zip fly and button.", "", "short sleeves"]
IMAGES = [
    Image.new("RGB", size, colour)
    for size, colour in [((40, 56), "red"), ((64, 32), "blue"), ((32, 32), "green"), ((30, 60), "grey")]
]


def words(labels: list[int]) -> list[int]:
    """The supervised ones."""
    return [label for label in labels if label != IGNORED]


def examples_of(captioner: Captioner, images: list[ImageInputs], captions: list[str] = CAPTIONS) -> list[Example]:
    return [example(captioner, image, ids) for image, ids in zip(images, token_ids(captioner, captions), strict=True)]


def batch_of(
    captioner: Captioner, images: list[ImageInputs], captions: list[str] = CAPTIONS
) -> dict[str, torch.Tensor]:
    return collate(examples_of(captioner, images, captions), images, captioner.pad_id)


def speaking(captioner: Captioner, scale: float = 0.8) -> Captioner:
    """Large random weights, so that captions of different images differ and depend on every token before."""
    generator, embeddings = torch.Generator().manual_seed(1), captioner.base.get_input_embeddings().weight
    with torch.no_grad():
        for weight in captioner.base.parameters():
            if weight.dim() > 1:
                weight.copy_(torch.randn(weight.shape, generator=generator) * scale)
        if not captioner.is_encoder_decoder:
            embeddings.mul_(0.2)  # where they are the head too, the likeliest word would be the one just said
    return captioner


def random_adapter(captioner: Captioner) -> Captioner:
    """LoRA with B that is not zero, as after training."""
    adapted = apply_lora(captioner, "all-linear", rank=2, alpha=4, dropout=0.0, use_rslora=True)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, weight in adapted.base.named_parameters():
            if "lora_" in name:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.1)
    return adapted


def say(captioner: Captioner, token: int, after: int) -> None:
    """Makes the language model say `token` as the generated token number `after`, and something else before."""
    steps = {"seen": 0}

    def bend(module: Any, inputs: Any, logits: torch.Tensor) -> torch.Tensor:
        steps["seen"] += 1
        logits[..., captioner.eos_ids] = -1e4
        logits[..., token] = 1e4 if steps["seen"] == after else -1e4
        return logits

    captioner.base.get_output_embeddings().register_forward_hook(bend)


def without_dropout(captioner: Captioner) -> None:
    for module in captioner.model.modules():
        for name in ("p", "dropout", "attention_dropout", "layerdrop"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)


def gradient(captioner: Captioner, parts: list[dict[str, torch.Tensor]]) -> torch.Tensor:
    """Of the mean loss over the tokens of all parts, one part after another."""
    captioner.model.zero_grad()
    tokens = sum(supervised(part["labels"]) for part in parts)
    for part in parts:
        (summed_loss(captioner, captioner.model, part) / tokens).backward()
    return torch.cat([weight.grad.flatten() for weight in captioner.model.parameters() if weight.requires_grad])
