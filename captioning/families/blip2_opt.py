"""BLIP-2 with OPT: `<image> × queries, BOS` and then the caption. No prompt, as it was pre-trained for captioning."""

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
    "query-value": r".*language_model.*\.(q_proj|v_proj)",
    "all-linear": r".*language_model.*\.(q_proj|k_proj|v_proj|out_proj|fc1|fc2)",
}
# The ViT keeps queries, keys and values in one matrix: query-value reaches the Q-Former and the language model.
LORA_TARGETS_EVERYWHERE = {"query-value": r".*\.(q_proj|v_proj|query|value)", "all-linear": "all-linear"}


def check_config(config: PretrainedConfig) -> str:
    """Says why a config is not BLIP-2 with OPT; empty if it is."""
    return compare_config(config, "blip-2", "opt")


def encode_prompt(captioner: Captioner, image: ImageInputs | None = None) -> list[int]:
    """Puts image tokens before BOS, as Blip2Processor and the original program do."""
    return [captioner.image_token_id] * count_image_tokens(captioner) + [captioner.text_config.bos_token_id]


def choose_lora_targets(model: Any, layers: str, scope: str) -> str:
    """Chooses the layers that LoRA adapts."""
    return (LORA_TARGETS if scope == "language" else LORA_TARGETS_EVERYWHERE)[layers]
