"""LLaVA-1.5: a CLIP tower, a projector and Llama, asked in words."""

from typing import Any

import torch
from torch import nn
from transformers import CLIPImageProcessorPil, LlavaForConditionalGeneration, LlavaProcessor, PreTrainedModel

from captioning.modelling import encoding, generation
from captioning.modelling.captioner import Caption, Captioner, Example

MODEL = LlavaForConditionalGeneration
LANGUAGE_MODEL = "llama"
IMAGE_PROCESSOR = CLIPImageProcessorPil
PROMPT = "USER: <image>\nDescribe the appearance of the clothing item\nASSISTANT:"
LORA_TARGETS = {
    "query-value": r".*language_model.*\.(q_proj|v_proj)",
    "all-linear": r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)",
}
LORA_TARGETS_EVERYWHERE = {"query-value": r".*\.(q_proj|v_proj)", "all-linear": "all-linear"}


def image_tokens(captioner: Captioner) -> int:
    """One a patch (576 at 336 pixels), and one for the class token where the config keeps it."""
    config = captioner.base.config
    patches = (config.vision_config.image_size // config.vision_config.patch_size) ** 2
    return patches + (config.vision_feature_select_strategy == "full")


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


def encode_prompt(captioner: Captioner) -> list[int]:
    """BOS and the prompt, in which one `<image>` became as many as there are patches."""
    text = PROMPT.replace("<image>", "<image>" * image_tokens(captioner))
    return captioner.tokenizer(text)["input_ids"]


def encode_training(captioner: Captioner, captions: list[str]) -> list[Example]:
    return encoding.decoder_only(captioner, captions)


def generate(captioner: Captioner, pixel_values: torch.Tensor, max_new_tokens: int) -> list[Caption]:
    return generation.greedy(captioner, pixel_values, max_new_tokens, prefix=len(encode_prompt(captioner)))
