"""Cross-entropy over supervised tokens, from the logits: the model's own loss does not know the effective batch."""

from typing import Any

import torch
from torch.nn import functional

from captioning.modelling import IGNORED, Captioner
from captioning.modelling.captioner import FEATURES


def supervised(labels: torch.Tensor) -> torch.Tensor:
    """How many tokens of a batch count, a scalar."""
    return labels.ne(IGNORED).sum()


def summed_loss(captioner: Captioner, model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """The sum of -log p over the supervised tokens of a batch: divide by the tokens of the whole effective batch.

    A mean over each part of an accumulated batch would weigh tokens of short captions more. Trainer hands models the
    number of tokens for that, but BLIP-2 with T5 ignores it.

    Args:
        model: what is called; the captioner's own model, or that model wrapped for several devices.
        batch: of `captioning.modelling.collate`, with images or with the features of a frozen vision side.
    """
    inputs: dict[str, Any] = {name: values for name, values in batch.items() if name not in ("labels", FEATURES)}
    if FEATURES in batch:
        inputs |= captioner.family.from_features(captioner, batch[FEATURES])
    labels = batch["labels"]
    if captioner.is_encoder_decoder:
        shifted = captioner.base.language_model.prepare_decoder_input_ids_from_labels(labels)
        counted = labels.ne(IGNORED)
        logits = model(**inputs, decoder_input_ids=shifted).logits[counted]  # (tokens, vocabulary)
    else:
        # A token's logits stand one place before it; none are made where no token counts, which is most of a prompt.
        labels = functional.pad(labels[:, 1:], (0, 1), value=IGNORED)
        counted = labels.ne(IGNORED)
        logits = model(**inputs, logits_to_keep=counted).logits  # (tokens, vocabulary)
    return functional.cross_entropy(logits.float(), labels[counted], reduction="sum")
