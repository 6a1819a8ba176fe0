"""Trains the vision side of a captioner: the vision tower, and for BLIP-2 the Q-Former.

It learns to predict the words of a picture's alt-texts, as in CatLIP (arXiv 2404.15653).
"""

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
    """Train the vision side in place.

    Args:
        captioner: The model to train.
        pixels: (n_pictures, 3, height, width).
        alts: The alt-texts of each picture, in one string.
        steps: The number of steps.
        seed: Of the weights of the head and of the batches.

    Returns:
        The loss of each step.
    """
    targets = word_targets(alts)  # (n_pictures, n_words)
    torch.manual_seed(seed)
    width = encode_images(captioner, pixels[:1]).shape[-1]
    head = nn.Linear(width, targets.shape[1])
    order = torch.Generator().manual_seed(seed)

    def loss_of_step() -> torch.Tensor:
        rows = torch.randint(len(pixels), (BATCH,), generator=order)
        logits = head(encode_images(captioner, pixels[rows]).mean(1))
        return binary_cross_entropy_with_logits(logits, targets[rows]) * targets.shape[1]

    captioner.model.train()
    losses = optimise(
        [*list_vision_weights(captioner), *head.parameters()], steps, LEARNING_RATE, 0.1, 0.02, loss_of_step, "vision"
    )
    captioner.model.eval()
    return losses


def word_targets(alts: Sequence[str], min_count: int = 20) -> torch.Tensor:
    """Mark the frequent visible words of each text: (n_texts, n_words), 0 or 1, words in alphabetical order.

    >>> word_targets(["a red tee", "a red cap", "a blue tee"], min_count=2).tolist()  # red, tee
    [[1.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    """
    words = [set(re.findall(r"[\w-]+", alt)) - NOT_VISIBLE for alt in alts]
    counts = Counter(word for text in words for word in text)
    columns = {word: column for column, word in enumerate(sorted(word for word, n in counts.items() if n >= min_count))}
    targets = torch.zeros(len(alts), len(columns))
    for row, text in enumerate(words):
        for word in text & columns.keys():
            targets[row, columns[word]] = 1
    return targets


def encode_images(captioner: Captioner, pixels: torch.Tensor) -> torch.Tensor:
    """Compute what the vision side gives to the projection: (n_images, n_image_tokens, vision width)."""
    model = captioner.base
    if hasattr(model, "qformer"):
        return model.get_image_features(pixels).qformer_outputs.last_hidden_state
    tower = model.model.vision_tower
    return tower(pixels, output_hidden_states=True).hidden_states[model.config.vision_feature_layer][:, 1:]


def list_vision_weights(captioner: Captioner) -> list[nn.Parameter]:
    """List the weights of the vision side."""
    model = captioner.base
    queries = [model.query_tokens] if hasattr(model, "query_tokens") else []
    return queries + [weight for part in captioner.family.find_vision_parts(model) for weight in part.parameters()]


def select_vision_weights(captioner: Captioner) -> dict[str, torch.Tensor]:
    """Copy the weights of the vision side, by their names in the whole model, for a captioner with the same side."""
    ids = {id(weight) for weight in list_vision_weights(captioner)}
    return {name: weight.detach().clone() for name, weight in captioner.base.named_parameters() if id(weight) in ids}
