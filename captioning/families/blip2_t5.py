"""BLIP-2 with T5: the encoder reads `<image> × queries, EOS` and never the caption; the decoder writes it."""

import torch
from transformers import Blip2ForConditionalGeneration, BlipImageProcessorPil

from captioning.modelling import encoding, generation
from captioning.modelling.blip2 import image_tokens, processor, vision_parts
from captioning.modelling.captioner import Caption, Captioner, Example

__all__ = ["encode_prompt", "encode_training", "generate", "image_tokens", "processor", "vision_parts"]

MODEL = Blip2ForConditionalGeneration
LANGUAGE_MODEL = "t5"
IMAGE_PROCESSOR = BlipImageProcessorPil
PROMPT = ""
LORA_TARGETS = {
    "query-value": r".*language_model.*\.(q|v)",
    "all-linear": r".*language_model.*\.(q|k|v|o|wi|wi_0|wi_1|wo)",
}
LORA_TARGETS_EVERYWHERE = {"query-value": r".*\.(q|v|query|value)", "all-linear": "all-linear"}


def encode_prompt(captioner: Captioner) -> list[int]:
    """Image tokens, then the EOS that T5's tokenizer puts after an empty text."""
    return [captioner.image_token_id] * image_tokens(captioner) + [captioner.eos_id]


def encode_training(captioner: Captioner, captions: list[str]) -> list[Example]:
    return encoding.encoder_decoder(captioner, captions)


def generate(captioner: Captioner, pixel_values: torch.Tensor, max_new_tokens: int) -> list[Caption]:
    return generation.greedy(captioner, pixel_values, max_new_tokens, prefix=1)  # the decoder's start token
