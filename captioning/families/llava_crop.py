"""LLaVA-1.5 as the study ran it: of a picture only the square in the middle is seen, two thirds of a portrait of 2:3.

It is for replaying published runs, whose processor came with the weights on the hub. Otherwise use `llava`.
"""

from pathlib import Path

from transformers import CLIPImageProcessorPil, LlavaProcessor, PreTrainedModel

from captioning.modelling import llava

MODEL = llava.MODEL
PROMPT = llava.PROMPT
check_config = llava.check_config
make_processor = llava.make_processor
prepare_images = llava.prepare_images
count_image_tokens = llava.count_image_tokens
encode_prompt = llava.encode_prompt
find_eos_ids = llava.find_eos_ids
find_vision_parts = llava.find_vision_parts
generate = llava.generate
choose_lora_targets = llava.choose_lora_targets


def load_processor(folder: Path, model: PreTrainedModel) -> LlavaProcessor:
    """Loads the processor with an image processor that crops, and works on Pillow."""
    return llava.load_processor(folder, model, CLIPImageProcessorPil.from_pretrained(folder, do_pad=False))
