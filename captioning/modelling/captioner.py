"""A captioner: a model, its processor and its family, with the token ids that frame a caption.

`Family` lists what a file of `captioning/families/` offers. It stands here because `Captioner` and `Family` name each
other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from PIL import Image
from torch import nn
from transformers import PretrainedConfig

from pipeline.core.errors import UserError, first_five

REFUSALS = (ValueError, TypeError, IndexError, ArithmeticError)  # of image processors
PORTRAIT = (341, 512)  # pixels of H&M's pictures at `image_size: 512`
# What image processors call the settings that decide how many tokens an image has.
SIZES = (
    "size",
    "max_pixels",
    "max_image_size",
    "max_patches",
    "max_num_patches",
    "image_grid_pinpoints",
    "do_image_splitting",
    "crop_to_patches",
)
IMAGES_AT_ONCE = 256  # for the image processor
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}

# What a model takes for one image, on the CPU: tensors whose first dimension is this image's share of the batch (1, or
# its patches). Where the prompt depends on the image, its ids are here too: `prompt_input_ids`, and its other fields.
ImageInputs = dict[str, torch.Tensor]
PROMPT_PREFIX = "prompt_"
FEATURES = "features"  # (1, queries, width), in place of `pixel_values`: the output of a frozen vision side


@dataclass
class Captioner:
    """A model (plain, or wrapped by peft), its processor, and the module of `captioning.families` that knows both."""

    model: Any
    processor: Any
    family: "Family"

    @property
    def base(self) -> Any:
        """The transformers model without peft's wrapper (LoRA layers, if any, stay inside it)."""
        unwrap = getattr(self.model, "get_base_model", None)  # peft's, whose import a plain model need not wait for
        return self.model if unwrap is None else unwrap()

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of the processor."""
        return self.processor.tokenizer

    @property
    def text_config(self) -> Any:
        """The config of the language model."""
        return self.base.config.get_text_config()

    @property
    def is_encoder_decoder(self) -> bool:
        """Whether an encoder reads the prompt and a decoder writes the caption, as in T5."""
        return bool(getattr(self.text_config, "is_encoder_decoder", False))

    @property
    def positions(self) -> int | None:
        """The longest input in tokens, where the language model has learned each position; None without a limit."""
        config = self.text_config
        return None if getattr(config, "rope_parameters", None) else getattr(config, "max_position_embeddings", None)

    @property
    def image_token_id(self) -> int:
        """The token that stands for a piece of an image."""
        return self.base.config.image_token_id

    @cached_property
    def prompt_ids(self) -> list[int]:
        """The prompt with its image tokens, where it is the same for every image."""
        return self.family.encode_prompt(self)

    @cached_property
    def eos_ids(self) -> list[int]:
        """Every token that ends a caption; training uses the first."""
        return self.family.find_eos_ids(self)

    @property
    def eos_id(self) -> int:
        """The token that training puts at the end of a caption."""
        return self.eos_ids[0]

    @property
    def forced_ids(self) -> list[int]:
        """The token with which the decoder of an encoder-decoder begins each caption, in models such as Florence-2."""
        forced = self.base.generation_config.forced_bos_token_id if self.is_encoder_decoder else None
        return [] if forced is None else [forced]

    @cached_property
    def answer_prefix(self) -> str:
        """The space before a caption in the model's own answers, where the prompt does not end with it; else empty."""
        return self.family.find_answer_prefix(self) if isinstance(self.family, ChatFamily) else ""

    @property
    def pad_id(self) -> int:
        """The tokenizer's padding token, else EOS: any id does, because masks and labels follow lengths and not ids."""
        return self.eos_id if self.tokenizer.pad_token_id is None else self.tokenizer.pad_token_id

    @property
    def feature_family(self) -> "FeatureFamily":
        """The family, as one that computes features of its frozen vision side.

        Raises:
            TypeError: this family computes none.
        """
        if not isinstance(self.family, FeatureFamily):
            raise TypeError(f"{self.family.__name__}: this family computes no features of a frozen vision side")
        return self.family


class Family(Protocol):
    """The functions of a captioner family, a file of `captioning/families/`; `file` has captions and no model."""

    __name__: str
    MODEL: Any
    """The class of the weights."""
    PROMPT: str
    """The question in words; empty where the model is asked nothing."""

    def check_config(self, config: PretrainedConfig) -> str:
        """Says why a model's config does not fit this family; empty if it does."""

    def load_processor(self, folder: Path, model: Any) -> Any:
        """Loads the processor; the class of the image processor is fixed here and never left to what is installed."""

    def prepare_images(self, captioner: Captioner, images: Sequence[Image.Image]) -> list[ImageInputs]:
        """Makes what the model takes for each image."""

    def count_image_tokens(self, captioner: Captioner, image: ImageInputs | None = None) -> int | None:
        """Counts the tokens that the model makes of an image; None where images differ and none is given."""

    def encode_prompt(self, captioner: Captioner, image: ImageInputs | None = None) -> list[int]:
        """Encodes the prompt with its image tokens."""

    def find_eos_ids(self, captioner: Captioner) -> list[int]:
        """Lists the tokens that end a caption, the one for training first."""

    def generate(self, captioner: Captioner, images: Sequence[ImageInputs], max_new_tokens: int) -> "list[Caption]":
        """Writes a caption for each image."""

    def choose_lora_targets(self, model: Any, layers: str, scope: str) -> str:
        """Chooses the layers that LoRA adapts: a regular expression for their full names, or `all-linear`."""

    def find_vision_parts(self, model: Any) -> list[nn.Module]:
        """Lists the modules that stay frozen."""


@runtime_checkable
class FeatureFamily(Family, Protocol):
    """A family whose frozen vision side is worth computing once: its features are kept between epochs."""

    def compute_frozen_features(self, captioner: Captioner, images: ImageInputs) -> torch.Tensor:
        """Computes the vision side's output for joined images: (n_images, queries, width)."""

    def use_frozen_features(self, captioner: Captioner, features: torch.Tensor) -> dict[str, Any]:
        """Makes the model's arguments that replace `pixel_values`."""


@runtime_checkable
class ChatFamily(Family, Protocol):
    """A family whose prompt is that of a chat template."""

    def find_answer_prefix(self, captioner: Captioner) -> str:
        """Finds the space that the template puts before an answer and the prompt does not end with; else empty."""


@dataclass(frozen=True)
class Example:
    """A caption framed for training. Decoder-only: ids and labels of equal length. T5: encoder ids and decoder labels.

    `fields` are the model's other inputs for each input token (`token_type_ids`), by name.
    """

    input_ids: list[int]
    labels: list[int]
    fields: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Caption:
    """A generated caption. `tokens` counts its tokens, EOS included; `finished` says that EOS was reached."""

    text: str
    tokens: int
    finished: bool


def find_language_model_eos(captioner: Captioner) -> list[int]:
    """Lists the tokens at which the language model stops, which are not always the tokenizer's EOS.

    (BLIP-2 with OPT was trained to end on a newline: its text config says 50118, its tokenizer 2.)
    """
    eos: Any = getattr(captioner.text_config, "eos_token_id", None)  # Molmo2's config has none
    return list(eos) if isinstance(eos, list) else [eos]


def prepare_images(captioner: Captioner, images: Sequence[Image.Image], names: Sequence[str] = ()) -> list[ImageInputs]:
    """Makes what the model takes for each image.

    Args:
        captioner: whose image processor is used.
        images: RGB pictures.
        names: of the images, for messages: items or files.

    Raises:
        UserError: the image processor refuses images, such as one that is 200 times as wide as high; names them.
    """
    try:
        return captioner.family.prepare_images(captioner, images)
    except REFUSALS as error:
        refused = _find_refused(captioner, images, names)
        if not refused:
            raise
        kind = type(getattr(captioner.processor, "image_processor", captioner.processor)).__name__
        raise UserError(
            f"{kind} of the captioner refuses {len(refused)} of {len(images)} pictures, first {first_five(refused)}: "
            f"{error}; crop them or take them out of the raw data, or use another captioner"
        ) from error


def _find_refused(captioner: Captioner, images: Sequence[Image.Image], names: Sequence[str]) -> list[str]:
    """Lists the names and sizes of the images that the image processor refuses alone."""
    refused = []
    for name, image in zip(names, images, strict=False):
        try:
            captioner.family.prepare_images(captioner, [image])
        except REFUSALS:
            refused.append(f"{name} ({image.width} × {image.height})")
    return refused


def prepare_same_size(captioner: Captioner, images: Sequence[Image.Image]) -> list[ImageInputs]:
    """Makes `pixel_values` of (1, 3, height, width) for each image, in families that bring all images to one size."""
    return [{"pixel_values": pixels[None]} for pixels in make_pixel_values(captioner, images)] if images else []


def make_pixel_values(captioner: Captioner, images: Sequence[Image.Image]) -> torch.Tensor:
    """Makes the pixels of images for a model of one image size: (n_images, 3, height, width), float32, on the CPU."""
    return process_images(captioner.processor.image_processor, images)


def process_images(image_processor: Any, images: Sequence[Image.Image]) -> torch.Tensor:
    """Runs the image processor on a part of the images at a time, because it keeps several copies of its input."""
    coloured = [image if image.mode == "RGB" else image.convert("RGB") for image in images]
    parts = [coloured[first : first + IMAGES_AT_ONCE] for first in range(0, len(coloured), IMAGES_AT_ONCE)]
    return torch.cat([image_processor(part, return_tensors="pt")["pixel_values"] for part in parts])


def tokenize(captioner: Captioner, texts: Sequence[str]) -> list[list[int]]:
    """Encodes each text as the model's answer begins, without BOS, EOS and padding."""
    answers = [captioner.answer_prefix + text for text in texts]
    return captioner.tokenizer(answers, add_special_tokens=False)["input_ids"] if answers else []


def describe(captioner: Captioner) -> dict[str, str | int]:
    """Lists what a run records about a captioner: the classes that were chosen, and the size."""
    image_tokens = captioner.family.count_image_tokens(captioner)
    return {
        "model_class": type(captioner.base).__name__,
        "image_processor": type(captioner.processor.image_processor).__name__,
        "tokenizer": type(captioner.tokenizer).__name__,
        **({} if image_tokens is None else {"image_tokens": image_tokens}),
        "parameters": captioner.base.num_parameters(),
    }


def describe_image_tokens(captioner: Captioner) -> str:
    """Says how many tokens of the language model an image takes, and what in the model's files makes them fewer.

    They decide how much memory a batch needs: 16 images of 2,000 tokens are 32,000 tokens before any word.
    """
    fixed = captioner.family.count_image_tokens(captioner)
    if fixed is not None:
        return f"{fixed} image tokens"
    portrait = prepare_images(captioner, [Image.new("RGB", PORTRAIT, "grey")])[0]
    processor = captioner.processor.image_processor
    sizes = ", ".join(f"{name}: {value}" for name in SIZES if (value := getattr(processor, name, None)) is not None)
    return (
        f"{captioner.family.count_image_tokens(captioner, portrait)} image tokens for a picture of {PORTRAIT[0]} × "
        f"{PORTRAIT[1]}; for fewer, and less memory, lower in the model's preprocessor_config.json: {sizes}"
    )
