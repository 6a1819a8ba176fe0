"""Trains projection and language model: alt-text from frozen image features, and the words of fashion from prose."""

from collections.abc import Sequence
from random import Random
from typing import Any

import torch
from transformers.modeling_outputs import BaseModelOutputWithPooling
from transformers.models.blip_2.modeling_blip_2 import BaseModelOutputWithVisionQformerOutputs

from captioning.modelling import IGNORED, Captioner, Example, collate, freeze_vision, make_example, tokenize
from sample.pretraining.loop import optimise
from sample.pretraining.vision import encode_images, list_vision_weights

BATCH = 48
LEARNING_RATE = 2e-3
PROSE_SHARE = 0.35  # of the steps


def train_language(
    captioner: Captioner, pixels: torch.Tensor, alts: Sequence[str], proses: Sequence[str], steps: int, seed: int
) -> list[float]:
    """Train projection and language model in place, with the vision side frozen; return the loss of each step."""
    freeze_vision(captioner)
    features = encode_pictures(captioner, pixels)
    paired = [make_example(captioner, None, ids) for ids in tokenize(captioner, list(alts))]
    rng = Random(f"language {seed}")
    unpaired = build_text_examples(captioner, proses, rng)
    torch.manual_seed(seed)

    def loss_of_step() -> torch.Tensor:
        if rng.random() < PROSE_SHARE:
            return _prose_loss(captioner, rng.sample(unpaired, BATCH))
        rows = rng.sample(range(len(paired)), BATCH)
        return feature_loss(captioner, features[rows], [paired[row] for row in rows])

    frozen = {id(weight) for weight in list_vision_weights(captioner)}
    parameters = [weight for weight in captioner.base.parameters() if id(weight) not in frozen]
    captioner.model.train()
    losses = optimise(parameters, steps, LEARNING_RATE, 0.06, 0.01, loss_of_step, "language")
    captioner.model.eval()
    return losses


@torch.inference_mode()
def encode_pictures(captioner: Captioner, pixels: torch.Tensor) -> torch.Tensor:
    """Run the frozen vision side on every picture: (n_pictures, n_image_tokens, vision width)."""
    captioner.model.eval()
    return torch.cat([encode_images(captioner, batch) for batch in pixels.split(256)]).clone()


def feature_loss(captioner: Captioner, features: torch.Tensor, examples: Sequence[Example]) -> torch.Tensor:
    """Compute the mean loss of the supervised tokens, from image features instead of images."""
    batch = collate(examples, [{}] * len(examples), captioner.pad_id)
    return captioner.model(
        **batch, pixel_values=None, mm_encoder_outputs={"image": _project(captioner.base, features)}
    ).loss


def _project(model: Any, features: torch.Tensor) -> BaseModelOutputWithPooling:
    if hasattr(model, "qformer"):
        return BaseModelOutputWithVisionQformerOutputs(pooler_output=model.language_projection(features))
    return BaseModelOutputWithPooling(pooler_output=list(model.model.multi_modal_projector(features)))  # type: ignore[arg-type]


def build_text_examples(captioner: Captioner, texts: Sequence[str], rng: Random) -> list[Example]:
    """Build examples without a picture: BOS, text and EOS, or for T5 up to a third of a text and its continuation."""
    eos, encoded = captioner.eos_id, tokenize(captioner, texts)
    if captioner.base.config.text_config.is_encoder_decoder:
        cuts = [rng.randint(0, max(1, len(ids) // 3)) for ids in encoded]
        return [Example([*ids[:cut], eos], [*ids[cut:], eos]) for ids, cut in zip(encoded, cuts, strict=True)]
    bos = captioner.base.config.text_config.bos_token_id
    return [Example([bos, *ids, eos], [IGNORED, *ids, eos]) for ids in encoded]


def _prose_loss(captioner: Captioner, examples: Sequence[Example]) -> torch.Tensor:
    batch = collate(examples, [{}] * len(examples), captioner.pad_id)
    model = captioner.base
    return (model.language_model if hasattr(model, "qformer") else model)(**batch).loss
