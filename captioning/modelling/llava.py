"""LLaVA-1.5 with either way to a square picture: a CLIP tower, a projector and Llama, with a prompt in words."""

from pathlib import Path
from typing import Any

from torch import nn
from transformers import LlavaForConditionalGeneration, LlavaProcessor, PretrainedConfig, PreTrainedModel

from captioning.modelling.captioner import Captioner, ImageInputs, find_language_model_eos, prepare_same_size
from captioning.modelling.generation import generate_greedily
from captioning.modelling.loading import compare_config, load_tokenizer

MODEL = LlavaForConditionalGeneration
PROMPT = "USER: <image>\nDescribe the appearance of the clothing item\nASSISTANT:"
LORA_TARGETS = {
    "query-value": r".*language_model.*\.(q_proj|v_proj)",
    "all-linear": r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)",
}
LORA_TARGETS_EVERYWHERE = {"query-value": r".*\.(q_proj|v_proj)", "all-linear": "all-linear"}

prepare_images = prepare_same_size
find_eos_ids = find_language_model_eos
generate = generate_greedily


def check_config(config: PretrainedConfig) -> str:
    """Says why a config is not LLaVA with Llama; empty if it is."""
    return compare_config(config, "llava", "llama")


def count_image_tokens(captioner: Captioner, image: ImageInputs | None = None) -> int:
    """Counts the patches (576 at 336 pixels), and the class token where the config keeps it."""
    config = captioner.base.config
    patches = (config.vision_config.image_size // config.vision_config.patch_size) ** 2
    return patches + (config.vision_feature_select_strategy == "full")


def load_processor(folder: Path, model: PreTrainedModel, image_processor: Any) -> LlavaProcessor:
    """Loads the processor around an image processor."""
    return make_processor(model, image_processor, load_tokenizer(folder))


def make_processor(model: PreTrainedModel, image_processor: Any, tokenizer: Any) -> LlavaProcessor:
    """Makes a processor that leaves as many image tokens as the model fills."""
    return LlavaProcessor(
        image_processor,
        tokenizer,
        patch_size=model.config.vision_config.patch_size,
        vision_feature_select_strategy=model.config.vision_feature_select_strategy,
        num_additional_image_tokens=1,  # CLIP's class token
    )


def find_vision_parts(model: Any) -> list[nn.Module]:
    """Lists the CLIP tower."""
    return [model.model.vision_tower]


def encode_prompt(captioner: Captioner, image: ImageInputs | None = None) -> list[int]:
    """Encodes BOS and the prompt, with an `<image>` for each patch."""
    text = PROMPT.replace("<image>", "<image>" * count_image_tokens(captioner))
    return captioner.tokenizer(text)["input_ids"]


def choose_lora_targets(model: Any, layers: str, scope: str) -> str:
    """Chooses the layers that LoRA adapts."""
    return (LORA_TARGETS if scope == "language" else LORA_TARGETS_EVERYWHERE)[layers]
