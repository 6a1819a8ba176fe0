"""Captions and images for the contract, and helpers of its tests."""

from typing import Any

import torch
from PIL import Image

from captioning.modelling import IGNORED, Captioner, Example, ImageInputs, apply_lora, collate, make_example, tokenize
from captioning.training.loss import count_supervised, sum_loss

CAPTIONS = ["a red shirt", "striped blue trousers in cotton twill with a zip fly and button.", "", "short sleeves"]
IMAGES = [
    Image.new("RGB", size, colour)
    for size, colour in [((40, 56), "red"), ((64, 32), "blue"), ((32, 32), "green"), ((30, 60), "grey")]
]


def pick_supervised(labels: list[int]) -> list[int]:
    """Drops the labels that are not supervised."""
    return [label for label in labels if label != IGNORED]


def make_examples(captioner: Captioner, images: list[ImageInputs], captions: list[str] = CAPTIONS) -> list[Example]:
    return [
        make_example(captioner, image, ids) for image, ids in zip(images, tokenize(captioner, captions), strict=True)
    ]


def make_batch(
    captioner: Captioner, images: list[ImageInputs], captions: list[str] = CAPTIONS
) -> dict[str, torch.Tensor]:
    return collate(make_examples(captioner, images, captions), images, captioner.pad_id)


def randomize_weights(captioner: Captioner, scale: float = 0.8) -> Captioner:
    """Sets large random weights, so that captions of different images differ and depend on every token before."""
    generator, embeddings = torch.Generator().manual_seed(1), captioner.base.get_input_embeddings().weight
    with torch.no_grad():
        for weight in captioner.base.parameters():
            if weight.dim() > 1:
                weight.copy_(torch.randn(weight.shape, generator=generator) * scale)
        if not captioner.is_encoder_decoder:
            embeddings.mul_(0.2)  # where they are the head too, the likeliest word would be the last one again
    return captioner


def add_random_adapter(captioner: Captioner) -> Captioner:
    """Adds LoRA whose B is not zero, as after training."""
    tuned = apply_lora(captioner, "all-linear", rank=2, alpha=4, dropout=0.0, use_rslora=True)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, weight in tuned.base.named_parameters():
            if "lora_" in name:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.1)
    return tuned


def force_token(captioner: Captioner, token: int, after: int) -> None:
    """Makes the language model generate `token` as its token number `after`, and other tokens before."""
    steps = {"count": 0}

    def bend(module: Any, inputs: Any, logits: torch.Tensor) -> torch.Tensor:
        steps["count"] += 1
        logits[..., captioner.eos_ids] = -1e4
        logits[..., token] = 1e4 if steps["count"] == after else -1e4
        return logits

    captioner.base.get_output_embeddings().register_forward_hook(bend)


def remove_dropout(captioner: Captioner) -> None:
    for module in captioner.model.modules():
        for name in ("p", "dropout", "attention_dropout", "layerdrop"):
            if isinstance(getattr(module, name, None), float):
                setattr(module, name, 0.0)


def compute_gradient(captioner: Captioner, parts: list[dict[str, torch.Tensor]]) -> torch.Tensor:
    """Computes the gradient of the mean loss over the tokens of all parts, part by part."""
    captioner.model.zero_grad()
    tokens = sum(count_supervised(part["labels"]) for part in parts)
    for part in parts:
        (sum_loss(captioner, captioner.model, part) / tokens).backward()
    return torch.cat([weight.grad.flatten() for weight in captioner.model.parameters() if weight.requires_grad])
