"""BLIP-2 with OPT: `<image> × queries, BOS` and then the caption. No prompt, as it was pre-trained for captioning."""

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
    "query-value": r".*language_model.*\.(q_proj|v_proj)",
    "all-linear": r".*language_model.*\.(q_proj|k_proj|v_proj|out_proj|fc1|fc2)",
}
# The ViT keeps queries, keys and values in one matrix: query-value reaches the Q-Former and the language model.
LORA_TARGETS_EVERYWHERE = {"query-value": r".*\.(q_proj|v_proj|query|value)", "all-linear": "all-linear"}

misfit = partial(differs, "blip-2", "opt")
image_inputs, eos_ids, generate = of_one_size, eos_of_language_model, greedy


def encode_prompt(captioner: Captioner, image: ImageInputs | None = None) -> list[int]:
    """Image tokens stand before BOS, as Blip2Processor and the original program have it."""
    return [captioner.image_token_id] * image_tokens(captioner) + [captioner.text_config.bos_token_id]


def lora_targets(model: Any, layers: str, scope: str) -> str:
    return (LORA_TARGETS if scope == "language" else LORA_TARGETS_EVERYWHERE)[layers]
