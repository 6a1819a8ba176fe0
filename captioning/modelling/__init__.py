"""Machinery that every captioner family shares: loading, encoding, LoRA, generation."""

from captioning.modelling.captioner import DTYPES, Caption, Captioner, Example, facts, pixel_values
from captioning.modelling.encoding import IGNORED, check_image_tokens, collate
from captioning.modelling.loading import load
from captioning.modelling.lora import apply_lora, check_scope, freeze_vision, lora_names

__all__ = [
    "DTYPES",
    "IGNORED",
    "Caption",
    "Captioner",
    "Example",
    "apply_lora",
    "check_image_tokens",
    "check_scope",
    "collate",
    "facts",
    "freeze_vision",
    "load",
    "lora_names",
    "pixel_values",
]
