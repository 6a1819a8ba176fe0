"""Any vision-language model of transformers, asked in words: its own class, processor and chat template.

What is particular to a model is asked of the model: the prompt is what its processor makes of the question and one image
(image tokens may differ in number from image to image), a caption ends as its chat template ends a turn, and LoRA adapts
the linear layers of the part that transformers calls the decoder. The image processor is the one on Pillow.
"""

import re
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoProcessor, PretrainedConfig
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from captioning.modelling.captioner import OF_PROMPT, Captioner, ImageInputs, eos_of_language_model
from captioning.modelling.encoding import join_images
from captioning.modelling.generation import greedy
from captioning.modelling.loading import SAFE
from captioning.modelling.lora import beside_language_model, language_model_name
from pipeline.core.errors import UserError

MODEL = AutoModelForImageTextToText
PROMPT = "Describe the appearance of the clothing item"
OWN_FAMILY = {"blip-2": "blip2_opt or blip2_t5"}  # no chat template, and a prompt that must stay empty
OF_TOKENS = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")
# The names that query and value projections have; where they are one matrix with the keys, that matrix.
QUERY_VALUE = {"q_proj", "v_proj", "q", "v", "query", "value", "wq", "wv"}
FUSED = {"qkv_proj", "qkv", "query_key_value", "Wqkv", "wqkv", "c_attn"}

generate = partial(greedy, decode=None)  # some of these models keep something of each row outside their cache


def misfit(config: PretrainedConfig) -> str:
    if config.model_type in OWN_FAMILY:
        return f"{config.model_type} has a family of its own: {OWN_FAMILY[config.model_type]}, not {{family}}"
    known = config.model_type in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    return "" if known else f"{config.model_type} is not a model that writes text about images"


def load_processor(folder: Path, model: Any) -> Any:
    """
    Raises:
        UserError: it makes room for more or fewer image tokens than the model fills, or the model has no image tokens.
    """
    processor = AutoProcessor.from_pretrained(folder, **SAFE)
    processor.image_processor = AutoImageProcessor.from_pretrained(folder, **SAFE, backend="pil")
    _check_room(model, processor, folder)
    return processor


def image_inputs(captioner: Captioner, images: Sequence[Image.Image]) -> list[ImageInputs]:
    """One image at a time: only the processor knows how many rows of a batch belong to an image."""
    return [_inputs(captioner.processor, image) for image in images]


def image_tokens(captioner: Captioner, image: ImageInputs | None = None) -> int | None:
    """What the processor made room for; None without an image, because images may differ."""
    return None if image is None else encode_prompt(captioner, image).count(captioner.image_token_id)


def encode_prompt(captioner: Captioner, image: ImageInputs | None = None) -> list[int]:
    if image is None:
        raise ValueError("the prompt of this family depends on the image: none was given")
    return image[f"{OF_PROMPT}input_ids"][0].tolist()


def eos_ids(captioner: Captioner) -> list[int]:
    """What ends a turn in the chat template, then whatever else the checkpoint stops at."""
    found = captioner.base.generation_config.eos_token_id
    if found is None:
        found = eos_of_language_model(captioner)
    stops = list(found) if isinstance(found, list) else [found]
    if stops == [None]:
        stops = [captioner.tokenizer.eos_token_id]
    return list(dict.fromkeys([*_ends_of_turn(captioner), *stops]))


def lora_targets(model: Any, layers: str, scope: str) -> str:
    """
    Raises:
        UserError: no layer of the language model has the name of a query or value projection.
    """
    inside = language_model_name(model)
    linear = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    names = {name.rpartition(".")[2] for name in linear if name.startswith(f"{inside}.")}
    if layers == "all-linear":
        return "all-linear" if scope == "all" else rf"{re.escape(inside)}\..*\.({'|'.join(sorted(names))})"
    chosen = names & QUERY_VALUE or names & FUSED
    if not chosen:
        raise UserError(
            f"{type(model).__name__}: no query and value projections among {', '.join(sorted(names))}; use lora_layers: all-linear"
        )
    if scope == "all":
        return rf".*\.({'|'.join(sorted(QUERY_VALUE | FUSED))})"
    return rf"{re.escape(inside)}\..*\.({'|'.join(sorted(chosen))})"


def vision_parts(model: Any) -> list[nn.Module]:
    return [model.get_submodule(name) for name in beside_language_model(model)]


@cache
def _question(processor: Any) -> str:
    """The text of the prompt. Without a chat template, as in PaliGemma, the image token stands before the question."""
    if not _has_template(processor):
        return f"{processor.image_token}{PROMPT}"
    return processor.apply_chat_template(_chat(), add_generation_prompt=True)


def _has_template(processor: Any) -> bool:
    return bool(processor.chat_template or processor.tokenizer.chat_template)


def _chat() -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": PROMPT}]}]


def _ends_of_turn(captioner: Captioner) -> list[int]:
    """The special token that follows a caption in the chat template, if there is one."""
    processor, caption = captioner.processor, "red"
    if not _has_template(processor):
        return []
    said = {"role": "assistant", "content": [{"type": "text", "text": caption}]}
    after = processor.apply_chat_template([*_chat(), said]).rpartition(caption)[2]
    ids = captioner.tokenizer(after, add_special_tokens=False)["input_ids"]
    special = set(captioner.tokenizer.added_tokens_decoder) | set(captioner.tokenizer.all_special_ids)
    return [token for token in ids if token in special][:1]


def _inputs(processor: Any, image: Image.Image) -> ImageInputs:
    """The processor's tensors for one image, those of the prompt's tokens by names of their own."""
    text, bos = _question(processor), processor.tokenizer.bos_token
    once = {"add_special_tokens": False} if bos and text.startswith(bos) else {}  # else a template's BOS comes twice
    made = processor(images=[image.convert("RGB")], text=[text], return_tensors="pt", **once)
    of_image = {name: values for name, values in made.items() if name not in (*OF_TOKENS, "labels")}
    of_tokens = {f"{OF_PROMPT}{name}": made[name] for name in OF_TOKENS if name in made and name != "attention_mask"}
    return of_image | of_tokens


def _check_room(model: Any, processor: Any, folder: Path) -> None:
    token = getattr(model.config, "image_token_id", None)
    if token is None or not hasattr(model, "get_image_features"):
        raise UserError(f"{folder}: {type(model).__name__} does not put its images among the words of the prompt")
    inputs = _inputs(processor, Image.new("RGB", (64, 48), "grey"))
    room = inputs[f"{OF_PROMPT}input_ids"].eq(token).sum().item()
    pixels = {name: values.to(model.device) for name, values in join_images([inputs]).items()}
    try:
        with torch.inference_mode():
            features = model.get_image_features(**pixels | {"pixel_values": pixels["pixel_values"].to(model.dtype)})
    except (RuntimeError, ValueError) as error:
        raise UserError(f"{folder}: the model cannot read what the processor makes of an image: {error}") from error
    filled = sum(part.shape[:-1].numel() for part in features.pooler_output)  # a part for each image or tile
    if room != filled:
        raise UserError(
            f"{folder}: the processor makes room for {room} image tokens, the model makes {filled}; they belong to different models"
        )
