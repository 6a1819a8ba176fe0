"""BLIP-2 with OPT: `<image> × queries, BOS` and then the caption. No prompt, as it was pre-trained for captioning."""

import torch
from transformers import Blip2ForConditionalGeneration, BlipImageProcessorPil

from captioning.modelling import encoding, generation
from captioning.modelling.blip2 import image_tokens, processor, vision_parts
from captioning.modelling.captioner import Caption, Captioner, Example

__all__ = ["encode_prompt", "encode_training", "generate", "image_tokens", "processor", "vision_parts"]

MODEL = Blip2ForConditionalGeneration
LANGUAGE_MODEL = "opt"
IMAGE_PROCESSOR = BlipImageProcessorPil
PROMPT = ""
LORA_TARGETS = {
    "query-value": r".*language_model.*\.(q_proj|v_proj)",
    "all-linear": r".*language_model.*\.(q_proj|k_proj|v_proj|out_proj|fc1|fc2)",
}
# The ViT keeps queries, keys and values in one matrix: query-value reaches the Q-Former and the language model.
LORA_TARGETS_EVERYWHERE = {"query-value": r".*\.(q_proj|v_proj|query|value)", "all-linear": "all-linear"}


def encode_prompt(captioner: Captioner) -> list[int]:
    """Image tokens stand before BOS, as Blip2Processor and the original program have it."""
    return [captioner.image_token_id] * image_tokens(captioner) + [captioner.base.config.text_config.bos_token_id]


def encode_training(captioner: Captioner, captions: list[str]) -> list[Example]:
    return encoding.decoder_only(captioner, captions)


def generate(captioner: Captioner, pixel_values: torch.Tensor, max_new_tokens: int) -> list[Caption]:
    return generation.greedy(captioner, pixel_values, max_new_tokens, prefix=len(encode_prompt(captioner)))
