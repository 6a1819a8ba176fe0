"""LLaVA-1.5: a CLIP tower, a projector and Llama, asked in words."""

from functools import partial
from pathlib import Path
from typing import Any

from torch import nn
from transformers import CLIPImageProcessorPil, LlavaForConditionalGeneration, LlavaProcessor, PreTrainedModel

from captioning.modelling.captioner import Captioner, ImageInputs, eos_of_language_model, of_one_size
from captioning.modelling.generation import greedy
from captioning.modelling.loading import differs, load_tokenizer

MODEL = LlavaForConditionalGeneration
IMAGE_PROCESSOR = CLIPImageProcessorPil
PROMPT = "USER: <image>\nDescribe the appearance of the clothing item\nASSISTANT:"
LORA_TARGETS = {
    "query-value": r".*language_model.*\.(q_proj|v_proj)",
    "all-linear": r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)",
}
LORA_TARGETS_EVERYWHERE = {"query-value": r".*\.(q_proj|v_proj)", "all-linear": "all-linear"}

misfit = partial(differs, "llava", "llama")
image_inputs, eos_ids, generate = of_one_size, eos_of_language_model, greedy


def image_tokens(captioner: Captioner, image: ImageInputs | None = None) -> int:
    """One a patch (576 at 336 pixels), and one for the class token where the config keeps it."""
    config = captioner.base.config
    patches = (config.vision_config.image_size // config.vision_config.patch_size) ** 2
    return patches + (config.vision_feature_select_strategy == "full")


def load_processor(folder: Path, model: PreTrainedModel) -> LlavaProcessor:
    return processor(model, IMAGE_PROCESSOR.from_pretrained(folder), load_tokenizer(folder))


def processor(model: PreTrainedModel, image_processor: Any, tokenizer: Any) -> LlavaProcessor:
    return LlavaProcessor(
        image_processor,
        tokenizer,
        patch_size=model.config.vision_config.patch_size,
        vision_feature_select_strategy=model.config.vision_feature_select_strategy,
        num_additional_image_tokens=1,  # CLIP's class token
    )


def vision_parts(model: Any) -> list[nn.Module]:
    return [model.model.vision_tower]


def encode_prompt(captioner: Captioner, image: ImageInputs | None = None) -> list[int]:
    """BOS and the prompt, in which one `<image>` became as many as there are patches."""
    text = PROMPT.replace("<image>", "<image>" * image_tokens(captioner))
    return captioner.tokenizer(text)["input_ids"]


def lora_targets(model: Any, layers: str, scope: str) -> str:
    return (LORA_TARGETS if scope == "language" else LORA_TARGETS_EVERYWHERE)[layers]
