"""The eyes: a vision tower (with the Q-Former for BLIP-2) learns which words stand in a picture's alt-text (as in CatLIP, arXiv 2404.15653)."""

import re
from collections import Counter
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from captioning.modelling import Captioner
from sample.pretraining.loop import optimise

NOT_VISIBLE = {"a", "an", "of", "with", "and", "photo", "picture"}
BATCH = 32
LEARNING_RATE = 1e-3


def train_vision(captioner: Captioner, pixels: torch.Tensor, alts: Sequence[str], steps: int, seed: int) -> list[float]:
    """Trains the vision side in place; returns the loss at each step.

    Args:
        pixels: (n_pictures, 3, height, width).
        alts: one for each picture.
    """
    targets = word_targets(alts)  # (n_pictures, n_words)
    torch.manual_seed(seed)
    width = vision_features(captioner, pixels[:1]).shape[-1]
    head = nn.Linear(width, targets.shape[1])
    order = torch.Generator().manual_seed(seed)

    def loss_of_step() -> torch.Tensor:
        rows = torch.randint(len(pixels), (BATCH,), generator=order)
        logits = head(vision_features(captioner, pixels[rows]).mean(1))
        return binary_cross_entropy_with_logits(logits, targets[rows]) * targets.shape[1]

    captioner.model.train()
    losses = optimise(
        [*vision_parameters(captioner), *head.parameters()], steps, LEARNING_RATE, 0.1, 0.02, loss_of_step, "vision"
    )
    captioner.model.eval()
    return losses


def word_targets(alts: Sequence[str], min_count: int = 20) -> torch.Tensor:
    """Which of the frequent visible words each text holds: (n_texts, n_words), 0 or 1."""
    words = [set(re.findall(r"[\w-]+", alt)) - NOT_VISIBLE for alt in alts]
    counts = Counter(word for found in words for word in found)
    place = {word: column for column, word in enumerate(sorted(word for word, n in counts.items() if n >= min_count))}
    targets = torch.zeros(len(alts), len(place))
    for row, found in enumerate(words):
        for word in found & place.keys():
            targets[row, place[word]] = 1
    return targets


def vision_features(captioner: Captioner, pixels: torch.Tensor) -> torch.Tensor:
    """What the frozen side hands to the projection: (n_images, n_image_tokens, vision width)."""
    model = captioner.base
    if hasattr(model, "qformer"):
        return model.get_image_features(pixels).qformer_outputs.last_hidden_state
    tower = model.model.vision_tower
    return tower(pixels, output_hidden_states=True).hidden_states[model.config.vision_feature_layer][:, 1:]


def vision_parameters(captioner: Captioner) -> list[nn.Parameter]:
    model = captioner.base
    queries = [model.query_tokens] if hasattr(model, "query_tokens") else []
    return queries + [weight for part in captioner.family.find_vision_parts(model) for weight in part.parameters()]


def vision_state(captioner: Captioner) -> dict[str, torch.Tensor]:
    """The vision side's weights, by their names in the whole model, to be loaded into another captioner of the same eyes."""
    wanted = {id(weight) for weight in vision_parameters(captioner)}
    return {name: weight.detach().clone() for name, weight in captioner.base.named_parameters() if id(weight) in wanted}
