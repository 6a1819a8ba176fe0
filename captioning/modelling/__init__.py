"""Machinery that every captioner family shares: loading, encoding, LoRA, generation."""

# ruff: noqa: E402 (the line below must come before peft, which imports bitsandbytes where that is installed)

import logging

# It says at every import on newer CPUs that it lacks a kernel, which this project does not use (see `quantization`).
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)

from captioning.modelling.captioner import (
    DTYPES,
    Caption,
    Captioner,
    Example,
    ImageInputs,
    facts,
    image_inputs,
    pixel_values,
    token_ids,
)
from captioning.modelling.encoding import IGNORED, check_image_tokens, collate, example, join_images
from captioning.modelling.generation import on_device
from captioning.modelling.loading import load
from captioning.modelling.lora import apply_lora, check_scope, checkpoint_activations, freeze_vision, lora_names

__all__ = [
    "DTYPES",
    "IGNORED",
    "Caption",
    "Captioner",
    "Example",
    "ImageInputs",
    "apply_lora",
    "check_image_tokens",
    "check_scope",
    "checkpoint_activations",
    "collate",
    "example",
    "facts",
    "freeze_vision",
    "image_inputs",
    "join_images",
    "load",
    "lora_names",
    "on_device",
    "pixel_values",
    "token_ids",
]
