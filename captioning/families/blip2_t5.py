"""BLIP-2 with T5: the encoder reads `<image> × queries, EOS` and never the caption; the decoder writes it."""

from typing import Any

from transformers import PretrainedConfig

from captioning.modelling import blip2
from captioning.modelling.captioner import Captioner, ImageInputs
from captioning.modelling.loading import compare_config

MODEL = blip2.MODEL
PROMPT = blip2.PROMPT
load_processor = blip2.load_processor
make_processor = blip2.make_processor
prepare_images = blip2.prepare_images
count_image_tokens = blip2.count_image_tokens
find_eos_ids = blip2.find_eos_ids
find_vision_parts = blip2.find_vision_parts
generate = blip2.generate
compute_frozen_features = blip2.compute_frozen_features
use_frozen_features = blip2.use_frozen_features

LORA_TARGETS = {
    "query-value": r".*language_model.*\.(q|v)",
    "all-linear": r".*language_model.*\.(q|k|v|o|wi|wi_0|wi_1|wo)",
}
LORA_TARGETS_EVERYWHERE = {"query-value": r".*\.(q|v|query|value)", "all-linear": "all-linear"}


def check_config(config: PretrainedConfig) -> str:
    """Says why a config is not BLIP-2 with T5; empty if it is."""
    return compare_config(config, "blip-2", "t5")


def encode_prompt(captioner: Captioner, image: ImageInputs | None = None) -> list[int]:
    """Puts image tokens before the EOS that T5's tokenizer adds to an empty text."""
    return [captioner.image_token_id] * count_image_tokens(captioner) + [captioner.eos_id]


def choose_lora_targets(model: Any, layers: str, scope: str) -> str:
    """Chooses the layers that LoRA adapts."""
    return (LORA_TARGETS if scope == "language" else LORA_TARGETS_EVERYWHERE)[layers]
