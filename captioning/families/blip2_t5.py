"""BLIP-2 with T5: the encoder reads `<image> × queries, EOS` and never the caption; the decoder writes it."""

from functools import partial
from typing import Any

from transformers import Blip2ForConditionalGeneration

from captioning.modelling.blip2 import (
    from_features,
    frozen_features,
    image_tokens,
    load_processor,
    processor,
    vision_parts,
)
from captioning.modelling.captioner import Captioner, ImageInputs, eos_of_language_model, of_one_size
from captioning.modelling.generation import greedy
from captioning.modelling.loading import differs

__all__ = ["from_features", "frozen_features", "image_tokens", "load_processor", "processor", "vision_parts"]

MODEL = Blip2ForConditionalGeneration
PROMPT = ""
LORA_TARGETS = {
    "query-value": r".*language_model.*\.(q|v)",
    "all-linear": r".*language_model.*\.(q|k|v|o|wi|wi_0|wi_1|wo)",
}
LORA_TARGETS_EVERYWHERE = {"query-value": r".*\.(q|v|query|value)", "all-linear": "all-linear"}

misfit = partial(differs, "blip-2", "t5")
image_inputs, eos_ids, generate = of_one_size, eos_of_language_model, greedy


def encode_prompt(captioner: Captioner, image: ImageInputs | None = None) -> list[int]:
    """Image tokens, then the EOS that T5's tokenizer puts after an empty text."""
    return [captioner.image_token_id] * image_tokens(captioner) + [captioner.eos_id]


def lora_targets(model: Any, layers: str, scope: str) -> str:
    return (LORA_TARGETS if scope == "language" else LORA_TARGETS_EVERYWHERE)[layers]
