"""BLIP-2 with either language model: query tokens before BOS, a processor that counts them, a frozen vision side."""

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import Blip2ForConditionalGeneration, Blip2Processor, BlipImageProcessorPil, PreTrainedModel
from transformers.models.blip_2.modeling_blip_2 import BaseModelOutputWithVisionQformerOutputs

from captioning.modelling.captioner import Captioner, ImageInputs, find_language_model_eos, prepare_same_size
from captioning.modelling.generation import generate_greedily
from captioning.modelling.loading import load_tokenizer

MODEL = Blip2ForConditionalGeneration
PROMPT = ""  # it was pre-trained for captioning without one
IMAGE_PROCESSOR = BlipImageProcessorPil

prepare_images = prepare_same_size
find_eos_ids = find_language_model_eos
generate = generate_greedily


def count_image_tokens(captioner: Captioner, image: ImageInputs | None = None) -> int:
    """Counts the queries of the Q-Former: 32 in the published models."""
    return captioner.base.config.num_query_tokens


def load_processor(folder: Path, model: PreTrainedModel) -> Blip2Processor:
    """Loads the processor with the image processor that works on Pillow."""
    return make_processor(model, IMAGE_PROCESSOR.from_pretrained(folder), load_tokenizer(folder))


def make_processor(model: PreTrainedModel, image_processor: Any, tokenizer: Any) -> Blip2Processor:
    """Makes a processor with `num_query_tokens`: without it the model never sees the image."""
    return Blip2Processor(image_processor, tokenizer, num_query_tokens=model.config.num_query_tokens)


def find_vision_parts(model: Any) -> list[nn.Module]:
    """Lists the vision tower and the Q-Former."""
    return [model.vision_model, model.qformer]


@torch.inference_mode()
def compute_frozen_features(captioner: Captioner, images: ImageInputs) -> torch.Tensor:
    """Computes the Q-Former's output before its projection: (n_images, queries, width).

    It has the model's dtype and lies on the model's device.

    Args:
        captioner: its model computes on its own device.
        images: joined, with `pixel_values` of (n_images, 3, height, width).
    """
    base = captioner.base
    pixels = images["pixel_values"].to(base.device, base.dtype)
    outputs = base.get_image_features(pixels)
    return outputs.qformer_outputs.last_hidden_state.to(outputs.pooler_output.dtype)


def use_frozen_features(captioner: Captioner, features: torch.Tensor) -> dict[str, Any]:
    """Makes the model's arguments that replace `pixel_values`: what it would have made of them, from kept features."""
    projected = captioner.base.language_projection(features)
    outputs = BaseModelOutputWithVisionQformerOutputs(pooler_output=projected)
    return {"pixel_values": None, "mm_encoder_outputs": {"image": outputs}}
