"""Trains a small CLIP, which maps pictures and their alt-texts to a common space (arXiv 2103.00020)."""

from collections.abc import Sequence

import torch
from transformers import CLIPModel, CLIPProcessor

from sample.pretraining.loop import optimise

BATCH = 128
LEARNING_RATE = 5e-4


def train_clip(
    model: CLIPModel, processor: CLIPProcessor, pixels: torch.Tensor, alts: Sequence[str], steps: int, seed: int
) -> list[float]:
    """Train the model in place with CLIP's symmetric contrastive loss; return the loss of each step."""
    tokens = processor.tokenizer(list(alts), padding=True, return_tensors="pt")
    order = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)

    def loss_of_step() -> torch.Tensor:
        rows = torch.randint(len(pixels), (BATCH,), generator=order)
        output = model(
            pixel_values=pixels[rows],
            input_ids=tokens["input_ids"][rows],
            attention_mask=tokens["attention_mask"][rows],
            return_loss=True,
        )
        return output.loss

    model.train()
    losses = optimise(list(model.parameters()), steps, LEARNING_RATE, 0.1, 0.02, loss_of_step, "clip")
    model.eval()
    return losses


@torch.inference_mode()
def retrieval(model: CLIPModel, processor: CLIPProcessor, pixels: torch.Tensor, alts: Sequence[str]) -> float:
    """Measure the share of pictures whose own alt-text, or an equal text, is the nearest of all texts."""
    tokens = processor.tokenizer(list(alts), padding=True, return_tensors="pt")
    logits = model(
        pixel_values=pixels, input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]
    ).logits_per_image
    nearest = logits.argmax(1).tolist()
    return sum(alts[column] == alt for column, alt in zip(nearest, alts, strict=True)) / len(alts)
