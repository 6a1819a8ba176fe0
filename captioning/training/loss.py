"""Cross-entropy over supervised tokens, from the logits: the model's own loss does not know the effective batch."""

from typing import Any

import torch
from torch.nn import functional

from captioning.modelling import IGNORED, Captioner
from captioning.modelling.captioner import FEATURES
from captioning.training.packing import can_pack, find_places, make_packed_inputs


def count_supervised(labels: torch.Tensor) -> torch.Tensor:
    """Counts the supervised tokens of a batch, as a scalar tensor.

    >>> count_supervised(torch.tensor([[-100, 5, 7], [-100, -100, 3]])).item()
    3
    """
    return labels.ne(IGNORED).sum()


def sum_loss(captioner: Captioner, model: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Sums -log p over the supervised tokens of a batch: divide by the tokens of the whole effective batch.

    A mean over each part of an accumulated batch would weigh tokens of short captions more. Trainer hands models the
    number of tokens for that, but BLIP-2 with T5 ignores it.

    Args:
        captioner: whose family knows the features of a frozen vision side.
        model: the captioner's own model, or that model wrapped for several devices.
        batch: of `captioning.modelling.collate`, with images or with the features of a frozen vision side.
    """
    inputs: dict[str, Any] = {name: values for name, values in batch.items() if name not in ("labels", FEATURES)}
    if FEATURES in batch:
        inputs |= captioner.feature_family.use_frozen_features(captioner, batch[FEATURES])
    labels = batch["labels"]
    if captioner.is_encoder_decoder:
        shifted = shift_right(captioner, labels)
        is_supervised = labels.ne(IGNORED)
        logits = model(**inputs, decoder_input_ids=shifted).logits[is_supervised]  # (tokens, vocabulary)
    else:
        # A token's logits are those of the position before it; none are computed where no token is supervised.
        labels = functional.pad(labels[:, 1:], (0, 1), value=IGNORED)
        if can_pack(captioner):
            places = find_places(inputs.pop("attention_mask"))
            inputs |= make_packed_inputs(captioner, inputs["input_ids"], places)
            labels = places.pack(labels)
        is_supervised = labels.ne(IGNORED)
        logits = model(**inputs, logits_to_keep=is_supervised).logits  # (tokens, vocabulary)
    return functional.cross_entropy(logits.float(), labels[is_supervised], reduction="sum")


def shift_right(captioner: Captioner, labels: torch.Tensor) -> torch.Tensor:
    """Makes what the decoder of an encoder-decoder reads: its start token, then each label but the last.

    Args:
        captioner: whose language model has an encoder and a decoder, such as T5 or BART.
        labels: -100 where nothing is supervised: (rows, longest).
    """
    start = captioner.text_config.decoder_start_token_id
    shifted = functional.pad(labels[:, :-1], (1, 0), value=start)
    return shifted.masked_fill(shifted == IGNORED, captioner.text_config.pad_token_id)
