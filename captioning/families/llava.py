"""LLaVA-1.5 as it was trained: a picture is padded to a square with the processor's mean colour, and seen whole.

(The original program, `image_aspect_ratio: pad`. The processor that comes with the weights on the hub crops instead.)
"""

from pathlib import Path

from transformers import LlavaImageProcessorPil, LlavaProcessor, PreTrainedModel

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
    """Loads the processor with an image processor that pads, and works on Pillow."""
    return llava.load_processor(folder, model, LlavaImageProcessorPil.from_pretrained(folder, do_pad=True))
