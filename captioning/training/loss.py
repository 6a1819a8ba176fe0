"""Cross-entropy over supervised tokens, from the logits: the model's own loss does not know the effective batch."""

from typing import Any

import torch
from torch.nn import functional

from captioning.modelling import IGNORED, Captioner


def supervised(labels: torch.Tensor) -> torch.Tensor:
    """How many tokens of a batch count, a scalar."""
    return labels.ne(IGNORED).sum()


def summed_loss(captioner: Captioner, model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """The sum of -log p over the supervised tokens of a batch: divide by the tokens of the whole effective batch.

    A mean over each part of an accumulated batch would weigh tokens of short captions more. Trainer hands models the
    number of tokens for that, but BLIP-2 with T5 ignores it.

    Args:
        model: what is called; the captioner's own model, or that model wrapped for several devices.
        batch: of `captioning.modelling.collate`.
    """
    inputs = {name: values for name, values in batch.items() if name != "labels"}
    labels = batch["labels"]
    if is_encoder_decoder(captioner):
        language_model: Any = captioner.base.language_model
        shifted = language_model.prepare_decoder_input_ids_from_labels(labels)
        logits = model(**inputs, decoder_input_ids=shifted).logits  # (batch, caption, vocabulary)
    else:
        logits = model(**inputs).logits[:, :-1]  # a token's logits stand one place before it
        labels = labels[:, 1:]
    counted = labels.ne(IGNORED)
    return functional.cross_entropy(logits[counted].float(), labels[counted], reduction="sum")


def is_encoder_decoder(captioner: Captioner) -> bool:
    return bool(getattr(captioner.base.config.text_config, "is_encoder_decoder", False))
