"""What every captioner family shares: a model with its processor, and the ids that frame a caption."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any

import torch
from peft import PeftModel
from PIL import Image

PIECE = 256  # images that are processed at a time
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}

# What a model takes for one image, on the CPU: tensors whose first dimension is this image's share of the batch's (1, or
# its patches). Where the prompt depends on the image, its ids are here too, as `prompt_input_ids` and what belongs to them.
ImageInputs = dict[str, torch.Tensor]
OF_PROMPT = "prompt_"
FEATURES = "features"  # (1, queries, width), in the place of `pixel_values`: a frozen vision side's output


@dataclass
class Captioner:
    """A model (plain, or wrapped by peft), its processor, and the module of `captioning.families` that knows both."""

    model: Any
    processor: Any
    family: ModuleType

    @property
    def base(self) -> Any:
        """The transformers model, without peft's wrapper (LoRA layers, if any, stay inside it)."""
        return self.model.get_base_model() if isinstance(self.model, PeftModel) else self.model

    @property
    def tokenizer(self) -> Any:
        return self.processor.tokenizer

    @property
    def text_config(self) -> Any:
        return self.base.config.get_text_config()

    @property
    def is_encoder_decoder(self) -> bool:
        return bool(getattr(self.text_config, "is_encoder_decoder", False))

    @property
    def positions(self) -> int | None:
        """Tokens of the longest input of a language model that has learned each position; None where there is no such limit."""
        config = self.text_config
        return None if getattr(config, "rope_parameters", None) else getattr(config, "max_position_embeddings", None)

    @property
    def image_token_id(self) -> int:
        return self.base.config.image_token_id

    @cached_property
    def prompt_ids(self) -> list[int]:
        """The prompt's, image tokens among them, where it is the same for every image."""
        return self.family.encode_prompt(self)

    @cached_property
    def eos_ids(self) -> list[int]:
        """Every token that ends a caption; the first is the one that training puts there."""
        return self.family.eos_ids(self)

    @property
    def eos_id(self) -> int:
        return self.eos_ids[0]

    @property
    def pad_id(self) -> int:
        """Any id does, because masks and labels follow lengths and not ids; the tokenizer's where it has one."""
        return self.eos_id if self.tokenizer.pad_token_id is None else self.tokenizer.pad_token_id


@dataclass(frozen=True)
class Example:
    """One caption, framed for training. Decoder-only: both of equal length. T5: encoder ids and decoder labels.

    `fields` are what else the model wants for each input token (`token_type_ids`), by name.
    """

    input_ids: list[int]
    labels: list[int]
    fields: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Caption:
    """`tokens` counts what was generated, EOS included; `finished` says that EOS was reached."""

    text: str
    tokens: int
    finished: bool


def eos_of_language_model(captioner: Captioner) -> list[int]:
    """The language model's own, which is not always the tokenizer's.

    (BLIP-2 with OPT was trained to end on a newline: its text config says 50118, its tokenizer 2.)
    """
    found = captioner.text_config.eos_token_id
    return list(found) if isinstance(found, list) else [found]


def image_inputs(captioner: Captioner, images: Sequence[Image.Image]) -> list[ImageInputs]:
    """What the model takes for each image."""
    return captioner.family.image_inputs(captioner, images)


def of_one_size(captioner: Captioner, images: Sequence[Image.Image]) -> list[ImageInputs]:
    """For families that bring every image to the same size: `pixel_values` of (1, 3, height, width)."""
    return [{"pixel_values": one[None]} for one in pixel_values(captioner, images)] if images else []


def pixel_values(captioner: Captioner, images: Sequence[Image.Image]) -> torch.Tensor:
    """Images as a model of one image size wants them: (n_images, 3, height, width), float32, on the CPU."""
    return pixels(captioner.processor.image_processor, images)


def pixels(image_processor: Any, images: Sequence[Image.Image]) -> torch.Tensor:
    """In pieces: the processor keeps several copies of what it is given."""
    coloured = [image if image.mode == "RGB" else image.convert("RGB") for image in images]
    pieces = [coloured[first : first + PIECE] for first in range(0, len(coloured), PIECE)]
    return torch.cat([image_processor(piece, return_tensors="pt")["pixel_values"] for piece in pieces])


def token_ids(captioner: Captioner, texts: Sequence[str]) -> list[list[int]]:
    """The texts' own tokens: no BOS, no EOS, no padding."""
    return captioner.tokenizer(list(texts), add_special_tokens=False)["input_ids"] if texts else []


def facts(captioner: Captioner) -> dict[str, str | int]:
    """What a run should record about a captioner: the classes that were chosen, and the size."""
    image_tokens = captioner.family.image_tokens(captioner)
    return {
        "model_class": type(captioner.base).__name__,
        "image_processor": type(captioner.processor.image_processor).__name__,
        "tokenizer": type(captioner.tokenizer).__name__,
        **({} if image_tokens is None else {"image_tokens": image_tokens}),
        "parameters": captioner.base.num_parameters(),
    }
