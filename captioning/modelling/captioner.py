"""What every captioner family shares: a model with its processor, and the ids that frame a caption."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from peft import PeftModel
from PIL import Image

PIECE = 256  # images that are processed at a time
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


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
    def image_token_id(self) -> int:
        return self.base.config.image_token_id

    @property
    def eos_id(self) -> int:
        """The token that ends a caption: the language model's own, which is not always the tokenizer's.

        (BLIP-2 with OPT was trained to end on a newline: its text config says 50118, its tokenizer 2.)
        """
        return self.base.config.text_config.eos_token_id

    @property
    def pad_id(self) -> int:
        """Any id does, because masks and labels follow lengths and not ids; the tokenizer's where it has one."""
        return self.eos_id if self.tokenizer.pad_token_id is None else self.tokenizer.pad_token_id


@dataclass(frozen=True)
class Example:
    """One caption, framed for training. Decoder-only: both of equal length. T5: encoder ids and decoder labels."""

    input_ids: list[int]
    labels: list[int]


@dataclass(frozen=True)
class Caption:
    """`tokens` counts what was generated, EOS included; `finished` says that EOS was reached."""

    text: str
    tokens: int
    finished: bool


def pixel_values(captioner: Captioner, images: Sequence[Image.Image]) -> torch.Tensor:
    """Images as the model wants them: (n_images, 3, height, width), float32, on the CPU."""
    return pixels(captioner.processor.image_processor, images)


def pixels(image_processor: Any, images: Sequence[Image.Image]) -> torch.Tensor:
    """In pieces: the processor keeps several copies of what it is given."""
    pieces = [
        [image.convert("RGB") for image in images[first : first + PIECE]] for first in range(0, len(images), PIECE)
    ]
    return torch.cat([image_processor(piece, return_tensors="pt")["pixel_values"] for piece in pieces])


def token_ids(captioner: Captioner, texts: Sequence[str]) -> list[list[int]]:
    """The texts' own tokens: no BOS, no EOS, no padding."""
    return captioner.tokenizer(list(texts), add_special_tokens=False)["input_ids"] if texts else []


def facts(captioner: Captioner) -> dict[str, str | int]:
    """What a run should record about a captioner: the classes that were chosen, and the size."""
    return {
        "model_class": type(captioner.base).__name__,
        "image_processor": type(captioner.processor.image_processor).__name__,
        "tokenizer": type(captioner.tokenizer).__name__,
        "image_tokens": captioner.family.image_tokens(captioner),
        "parameters": captioner.base.num_parameters(),
    }
