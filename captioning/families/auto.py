"""Any vision-language model of transformers, with a prompt in words: its own class, processor and chat template.

What differs between models comes from the model's own files: the prompt is what its processor makes of the question and
an image (the number of image tokens may differ between images), a caption begins and ends as an answer does in its chat
template, and LoRA adapts the linear layers of the part that transformers calls the decoder. The image processor works
on Pillow.
"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn
from transformers import (
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoProcessor,
    Florence2Processor,
    PretrainedConfig,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from captioning.modelling.captioner import PROMPT_PREFIX, Caption, Captioner, ImageInputs, find_language_model_eos
from captioning.modelling.encoding import join_images
from captioning.modelling.generation import generate_greedily
from captioning.modelling.loading import SAFE
from captioning.modelling.lora import find_language_model, list_modules_beside_language_model
from pipeline.core.errors import UserError

MODEL = AutoModelForImageTextToText
PROMPT = "Describe the appearance of the clothing item"
ANSWER = "red"  # by which one sees what a chat template puts around an answer
OWN_FAMILY = {"blip-2": "blip2_opt or blip2_t5"}  # no chat template, and a prompt that must stay empty
ADDS_IMAGE_TOKENS = (Florence2Processor,)  # whose processor puts them before the question by itself
TOKEN_FIELDS = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")
# The names that query and value projections have; where they are one matrix with the keys, that matrix.
QUERY_VALUE = {"q_proj", "v_proj", "q", "v", "query", "value", "wq", "wv"}
FUSED = {"qkv_proj", "qkv", "query_key_value", "Wqkv", "wqkv", "c_attn"}


def check_config(config: PretrainedConfig) -> str:
    """Says why a config is not of a vision-language model without a family of its own; empty if it is."""
    if config.model_type in OWN_FAMILY:
        return f"{config.model_type} has a family of its own: {OWN_FAMILY[config.model_type]}"
    if config.model_type not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES:
        return f"{config.model_type} is not a model that writes text about images"
    whole, words = (bool(getattr(part, "is_encoder_decoder", False)) for part in (config, config.get_text_config()))
    if whole != words:  # T5Gemma 2: captions would be empty, and training learn nothing
        return (
            f"{config.model_type} has encoder and decoder, and its text config says otherwise (is_encoder_decoder: "
            f"{whole} and {words}); use another model, such as Florence-2, or write a family for it"
        )
    return ""


def load_processor(folder: Path, model: Any) -> Any:
    """Loads the model's own processor, with the image processor that works on Pillow.

    Raises:
        UserError: it leaves more or fewer image tokens than the model fills, or the model has no image tokens.
    """
    model.generation_config.forced_eos_token_id = None  # BART's: a caption that reaches the limit is not finished
    processor = AutoProcessor.from_pretrained(folder, **SAFE)
    processor.image_processor = AutoImageProcessor.from_pretrained(folder, **SAFE, backend="pil")
    _check_image_tokens(model, processor, folder)
    return processor


def prepare_images(captioner: Captioner, images: Sequence[Image.Image]) -> list[ImageInputs]:
    """Prepares each image by itself: only the processor knows how many rows of a batch belong to an image."""
    return [_prepare_image(captioner.processor, image) for image in images]


def count_image_tokens(captioner: Captioner, image: ImageInputs | None = None) -> int | None:
    """Counts the image tokens that the processor left; None without an image, because images may differ."""
    return None if image is None else encode_prompt(captioner, image).count(captioner.image_token_id)


def encode_prompt(captioner: Captioner, image: ImageInputs | None = None) -> list[int]:
    """Returns the prompt's ids, which the processor made together with the image.

    Raises:
        ValueError: there is no image.
    """
    if image is None:
        raise ValueError("the prompt of this family depends on the image: pass an image")
    return image[f"{PROMPT_PREFIX}input_ids"][0].tolist()


def find_eos_ids(captioner: Captioner) -> list[int]:
    """Lists the token that ends a turn in the chat template, then the tokens at which the checkpoint stops."""
    eos = captioner.base.generation_config.eos_token_id
    if eos is None:
        eos = find_language_model_eos(captioner)
    stops = list(eos) if isinstance(eos, list) else [eos]
    if stops == [None]:
        stops = [captioner.tokenizer.eos_token_id]
    return list(dict.fromkeys([*_find_end_of_turn(captioner), *stops]))


def find_answer_prefix(captioner: Captioner) -> str:
    """Finds the space that the chat template puts before an answer and the prompt does not end with, if there is one.

    (SmolVLM's prompt ends with `Assistant:`, its answers begin with a space, and ` red` is another token than `red`.)
    """
    if not _has_template(captioner.processor):
        return ""
    question, answered = _make_question(captioner.processor), _make_answer(captioner.processor)
    prefix = answered.removeprefix(question).partition(ANSWER)[0]
    whole, prompt, answer = (
        _encode(captioner, text) for text in (question + prefix + ANSWER, question, prefix + ANSWER)
    )
    return prefix if prefix.isspace() and prompt + answer == whole else ""


def generate(captioner: Captioner, images: Sequence[ImageInputs], max_new_tokens: int) -> list[Caption]:
    """Writes captions by transformers' own loop: some of these models keep row data outside their cache."""
    return generate_greedily(captioner, images, max_new_tokens, decode=None)


def choose_lora_targets(model: Any, layers: str, scope: str) -> str:
    """Chooses the layers that LoRA adapts by their names in this model.

    Raises:
        UserError: no layer of the language model has the name of a query or value projection.
    """
    inside = find_language_model(model)
    linear = [name for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    names = {name.rpartition(".")[2] for name in linear if name.startswith(f"{inside}.")}
    if layers == "all-linear":
        return "all-linear" if scope == "all" else rf"{re.escape(inside)}\..*\.({'|'.join(sorted(names))})"
    chosen = names & QUERY_VALUE or names & FUSED
    if not chosen:
        raise UserError(
            f"{type(model).__name__}: no query and value projections among {', '.join(sorted(names))}; "
            "params.yaml: use lora_layers: all-linear"
        )
    if scope == "all":
        return rf".*\.({'|'.join(sorted(QUERY_VALUE | FUSED))})"
    return rf"{re.escape(inside)}\..*\.({'|'.join(sorted(chosen))})"


def find_vision_parts(model: Any) -> list[nn.Module]:
    """Lists everything beside the language model."""
    return [model.get_submodule(name) for name in list_modules_beside_language_model(model)]


@cache
def _make_question(processor: Any) -> str:
    """Makes the text of the prompt. Without a chat template, as in PaliGemma, the image token precedes the question."""
    if isinstance(processor, ADDS_IMAGE_TOKENS):
        return PROMPT
    if not _has_template(processor):
        return f"{processor.image_token}{PROMPT}"
    return processor.apply_chat_template(_make_chat(), add_generation_prompt=True)


def _has_template(processor: Any) -> bool:
    return bool(processor.chat_template or processor.tokenizer.chat_template)


def _make_chat() -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": PROMPT}]}]


@cache
def _make_answer(processor: Any) -> str:
    """Makes the text of the prompt with an answer, by the chat template."""
    answer = {"role": "assistant", "content": [{"type": "text", "text": ANSWER}]}
    return processor.apply_chat_template([*_make_chat(), answer])


def _encode(captioner: Captioner, text: str) -> list[int]:
    return captioner.tokenizer(text, add_special_tokens=False)["input_ids"]


def _find_end_of_turn(captioner: Captioner) -> list[int]:
    """Finds the special token that follows a caption in the chat template, if there is one."""
    if not _has_template(captioner.processor):
        return []
    ids = _encode(captioner, _make_answer(captioner.processor).rpartition(ANSWER)[2])
    special = set(captioner.tokenizer.added_tokens_decoder) | set(captioner.tokenizer.all_special_ids)
    return [token for token in ids if token in special][:1]


def _prepare_image(processor: Any, image: Image.Image) -> ImageInputs:
    """Makes the processor's tensors for an image; the names of the prompt's tensors have a prefix."""
    text, bos = _make_question(processor), processor.tokenizer.bos_token
    once = {"add_special_tokens": False} if bos and text.startswith(bos) else {}  # else a template's BOS comes twice
    tensors = processor(images=[image.convert("RGB")], text=[text], return_tensors="pt", **once)
    of_image = {name: values for name, values in tensors.items() if name not in (*TOKEN_FIELDS, "labels")}
    fields = [name for name in TOKEN_FIELDS if name in tensors and name != "attention_mask"]
    return of_image | {f"{PROMPT_PREFIX}{name}": tensors[name] for name in fields}


def _check_image_tokens(model: Any, processor: Any, folder: Path) -> None:
    token = getattr(model.config, "image_token_id", None)
    if token is None or not hasattr(model, "get_image_features"):
        raise UserError(f"{folder}: {type(model).__name__} does not put its images among the words of the prompt")
    inputs = _prepare_image(processor, Image.new("RGB", (64, 48), "grey"))
    n_tokens = inputs[f"{PROMPT_PREFIX}input_ids"].eq(token).sum().item()
    pixels = {name: values.to(model.device) for name, values in join_images([inputs]).items()}
    try:
        with torch.inference_mode():
            features = model.get_image_features(**pixels | {"pixel_values": pixels["pixel_values"].to(model.dtype)})
    except (RuntimeError, ValueError) as error:
        raise UserError(f"{folder}: the model cannot read what the processor makes of an image: {error}") from error
    n_filled = sum(part.shape[:-1].numel() for part in features.pooler_output)  # a part for each image or tile
    if n_tokens != n_filled:
        raise UserError(
            f"{folder}: the processor leaves {n_tokens} image tokens, the model fills {n_filled}; they belong to "
            "different models: use the processor that came with the weights"
        )
