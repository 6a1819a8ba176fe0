"""Code that every captioner family shares: loading, encoding, LoRA, generation."""

# ruff: noqa: E402 (the line below must come before peft, which imports bitsandbytes where that is installed)

import logging

# On newer CPUs every import logs that a kernel is missing, which this project does not use (see `quantization`).
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)

from captioning.modelling.captioner import (
    DTYPES,
    Caption,
    Captioner,
    Example,
    Family,
    ImageInputs,
    describe,
    describe_image_tokens,
    make_pixel_values,
    prepare_images,
    tokenize,
)
from captioning.modelling.encoding import IGNORED, check_image_tokens, collate, join_images, make_example
from captioning.modelling.generation import move_to_device
from captioning.modelling.loading import load
from captioning.modelling.lora import apply_lora, check_scope, checkpoint_activations, freeze_vision, list_lora_names

__all__ = [
    "DTYPES",
    "IGNORED",
    "Caption",
    "Captioner",
    "Example",
    "Family",
    "ImageInputs",
    "apply_lora",
    "check_image_tokens",
    "check_scope",
    "checkpoint_activations",
    "collate",
    "describe",
    "describe_image_tokens",
    "freeze_vision",
    "join_images",
    "list_lora_names",
    "load",
    "make_example",
    "make_pixel_values",
    "move_to_device",
    "prepare_images",
    "tokenize",
]
