"""What BLIP-2's two families share: query tokens first (before BOS), a processor that counts them, a frozen vision side."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import Blip2Processor, BlipImageProcessorPil, PreTrainedModel
from transformers.models.blip_2.modeling_blip_2 import BaseModelOutputWithVisionQformerOutputs

from captioning.modelling.captioner import Captioner, ImageInputs
from captioning.modelling.loading import load_tokenizer

if TYPE_CHECKING:
    from captioning.modelling import Captioner

IMAGE_PROCESSOR = BlipImageProcessorPil


def image_tokens(captioner: Captioner, image: ImageInputs | None = None) -> int:
    """As many as the Q-Former has queries: 32 in the published models."""
    return captioner.base.config.num_query_tokens


def load_processor(folder: Path, model: PreTrainedModel) -> Blip2Processor:
    return processor(model, IMAGE_PROCESSOR.from_pretrained(folder), load_tokenizer(folder))


def processor(model: PreTrainedModel, image_processor: Any, tokenizer: Any) -> Blip2Processor:
    """Without `num_query_tokens` this processor leaves the image tokens out, and the model then never sees the image."""
    return Blip2Processor(image_processor, tokenizer, num_query_tokens=model.config.num_query_tokens)


def vision_parts(model: Any) -> list[nn.Module]:
    return [model.vision_model, model.qformer]


@torch.inference_mode()
def frozen_features(captioner: Captioner, images: ImageInputs) -> torch.Tensor:
    """The Q-Former's output before its projection, (n_images, queries, width), in the model's dtype, on its device.

    Args:
        images: joined, with `pixel_values` of (n_images, 3, height, width).
    """
    base = captioner.base
    pixels = images["pixel_values"].to(base.device, base.dtype)
    outputs = base.get_image_features(pixels)
    return outputs.qformer_outputs.last_hidden_state.to(outputs.pooler_output.dtype)


def from_features(captioner: Captioner, features: torch.Tensor) -> dict[str, Any]:
    """Arguments for the model in the place of `pixel_values`: what it would have made of them, from `frozen_features`."""
    projected = captioner.base.language_projection(features)
    outputs = BaseModelOutputWithVisionQformerOutputs(pooler_output=projected)
    return {"pixel_values": None, "mm_encoder_outputs": {"image": outputs}}
