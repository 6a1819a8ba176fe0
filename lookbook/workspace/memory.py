"""Estimate the memory that training a captioner takes: weights, and what its layers keep for the backward pass.

    weights + items × (tokens of a layer × (A × width + B × inner width)), summed over the language model's layers

A and B are bytes, measured on small models of transformers' own classes, which tests/lookbook/workspace/test_memory.py
does again: what autograd keeps of a token, with LoRA, dropout masks of a byte, attention by a fused kernel, and layer
norms in 32 bits, as autocast has them on a GPU. The frozen vision side keeps nothing. Optimiser, logits and what lives
for a moment are counted as `RUNNING_GB`. Weights are parameters × the bytes of the precision of training. With
`machine.sharding: fsdp` the processes share the layers of the language model; all else is whole in each of them.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.errors import UserError
from pipeline.model_folders import MODELS, read_pin

GB = 1e9
RUNNING_GB = 3.0  # memory of a stage beyond weights and activations
CAPTION_TOKENS = 150  # of H&M's longest descriptions: with picture and question, LLaVA then reads 750
NF4_BYTES = 0.55  # of a weight in 4 bits, its scales included
PROMPT_WORDS = 21  # tokens of LLaVA's question beside the picture
Params = Mapping[str, Any]
# kind of layer -> (lora_layers, precision) -> bytes of a token for each unit of the width, and of the inner width
KEPT: dict[str, dict[tuple[str, str], tuple[int, int]]] = {
    "opt": {
        ("query-value", "bf16"): (24, 2),
        ("query-value", "fp32"): (36, 4),
        ("all-linear", "bf16"): (33, 5),
        ("all-linear", "fp32"): (51, 9),
    },
    "llama": {
        ("query-value", "bf16"): (22, 6),
        ("query-value", "fp32"): (34, 12),
        ("all-linear", "bf16"): (34, 9),
        ("all-linear", "fp32"): (54, 17),
    },
    "t5 encoder": {  # with the decoder's keys and values of the same token
        ("query-value", "bf16"): (35, 13),
        ("query-value", "fp32"): (49, 25),
        ("all-linear", "bf16"): (50, 16),
        ("all-linear", "fp32"): (74, 30),
    },
    "t5 decoder": {
        ("query-value", "bf16"): (42, 13),
        ("query-value", "fp32"): (54, 25),
        ("all-linear", "bf16"): (57, 16),
        ("all-linear", "fp32"): (79, 30),
    },
}


@dataclass(frozen=True)
class Shape:
    """The sizes of a captioner that decide its memory.

    Attributes:
        kind: of the language model: `opt`, `llama` or `t5`.
        layers: of the language model; T5's encoder and decoder have as many each.
        width: of the language model.
        inner: width between the two matrices of a feed-forward part.
        prompt: tokens before the caption, those of the picture included.
    """

    kind: str
    layers: int
    width: int
    inner: int
    prompt: int


@dataclass(frozen=True)
class Published:
    """A published captioner: its parameters in thousand millions, and its shape."""

    parameters: float
    shape: Shape


PUBLISHED = {  # end of the hub id
    "blip2-opt-2.7b": Published(3.7, Shape("opt", 32, 2560, 10240, 33)),
    "blip2-opt-6.7b": Published(7.8, Shape("opt", 32, 4096, 16384, 33)),
    "blip2-flan-t5-xl": Published(3.9, Shape("t5", 24, 2048, 5120, 33)),
    "blip2-flan-t5-xxl": Published(12.2, Shape("t5", 24, 4096, 10240, 33)),
    "llava-1.5-7b-hf": Published(7.1, Shape("llama", 32, 4096, 11008, 576 + PROMPT_WORDS)),
    "llava-1.5-13b-hf": Published(13.4, Shape("llama", 40, 5120, 13824, 576 + PROMPT_WORDS)),
}
HALF_PRECISION = "llava"  # part of the hub ids of models published in 16 bits; the others are in 32


@dataclass(frozen=True)
class Need:
    """The memory of training one captioner, in GB: its weights, and one item's activations (None: not known)."""

    captioner: str
    weights: float | None
    item: float | None

    def total(self, items: int) -> float:
        """Return the GB of training with so many items on a device; what is not known counts as nothing."""
        return (self.weights or 0.0) + items * (self.item or 0.0) + RUNNING_GB

    def largest_part(self, share: int, free: float) -> int:
        """Return the largest divisor of a process's share of the batch that fits in so many GB; 0 if none does."""
        return next((size for size in range(share, 0, -1) if share % size == 0 and self.total(size) <= free), 0)


def estimate(captioner: str, params: Params) -> Need:
    """Estimate the memory of training a captioner with these parameters."""
    folder = MODELS / captioner
    known, section, machine = find_published(folder), params["caption_train"], params["machine"]
    shape = known.shape if known else read_shape(folder / "config.json")
    item = None
    if shape and section["lora_scope"] == "language":
        choices = str(params["lora_layers"]), str(section["precision"]), bool(machine["gradient_checkpointing"])
        item = count_activations(shape, CAPTION_TOKENS, *choices) / GB
    parameters = known.parameters if known else count_parameters(folder)
    weights = None
    if parameters is not None:
        parts = machine["processes"] if machine["sharding"] == "fsdp" else 1
        weights = estimate_weights(parameters, shape, section, parts)
    return Need(captioner, weights, item)


def count_activations(
    shape: Shape, caption: int, lora_layers: str, precision: str, gradient_checkpointing: bool = False
) -> int:
    """Count the bytes that the language model's layers keep of one item for the backward pass.

    Args:
        shape: of the captioner.
        caption: tokens of the caption.
        lora_layers: `query-value` or `all-linear`.
        precision: `bf16` (with autocast) or `fp32`.
        gradient_checkpointing: only the input of each layer is kept, and one layer at a time whole.
    """
    tokens = {"t5 encoder": shape.prompt, "t5 decoder": caption} if shape.kind == "t5" else {}
    tokens = tokens or {shape.kind: shape.prompt + caption}
    total = 0
    for kind, length in tokens.items():
        of_width, of_inner = KEPT[kind][lora_layers, precision]
        whole = length * (of_width * shape.width + of_inner * shape.inner)
        inputs = length * shape.width * (2 if precision == "bf16" else 4)
        total += shape.layers * inputs + whole if gradient_checkpointing else shape.layers * whole
    return total


def estimate_weights(parameters: float, shape: Shape | None, section: Mapping[str, Any], processes: int = 1) -> float:
    """Estimate the GB of a captioner's weights on one device in the precision of training.

    Args:
        parameters: in thousand millions.
        shape: of the captioner; None: every weight counts as one that is neither shared nor in 4 bits.
        section: `caption_train`.
        processes: which share the layers of the language model.
    """
    each = 2 if section["precision"] == "bf16" else 4
    layers = count_layer_parameters(shape) if shape else 0.0
    if section["quantization"] == "nf4" and shape:
        return each * (parameters - layers) + NF4_BYTES * layers
    return each * (parameters - layers + layers / processes)


def count_layer_parameters(shape: Shape) -> float:
    """Count the parameters in the language model's layers, in thousand millions: matrices alone."""
    square, inner = shape.width**2, shape.width * shape.inner
    if shape.kind == "t5":  # a layer of the decoder reads the encoder as well; gated feed-forward parts
        return shape.layers * (12 * square + 6 * inner) / GB
    return shape.layers * (4 * square + (3 if shape.kind == "llama" else 2) * inner) / GB


def count_parameters(folder: Path) -> float | None:
    """Count the parameters in a folder's weights, in thousand millions; None where there are none yet."""
    from safetensors import SafetensorError, safe_open

    total = 0
    for file in folder.glob("*.safetensors"):
        try:
            with safe_open(file, "numpy") as weights:
                total += sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
        except SafetensorError:
            return None
    return total / GB or None


def find_published(folder: Path) -> Published | None:
    """Return what is known of the hub's model that a folder names; None of another model."""
    name = read_hub_id(folder)
    return next((known for end, known in PUBLISHED.items() if name.endswith(end)), None)


def read_hub_id(folder: Path) -> str:
    """Return the hub id that a model's folder names; empty if it names none."""
    try:
        return read_pin(folder)["id"] if (folder / "hub.json").is_file() else ""
    except UserError:
        return ""


def read_shape(config: Path) -> Shape | None:
    """Read the shape of a BLIP-2 or LLaVA from its config.json; None of others, whose pictures differ in tokens."""
    try:
        values = json.loads(config.read_text(encoding="utf-8"))
        text = values["text_config"]
        vision = values["vision_config"]
        if values["model_type"] == "blip-2" and text["model_type"] == "opt":
            return Shape(
                "opt", text["num_hidden_layers"], text["hidden_size"], text["ffn_dim"], values["num_query_tokens"] + 1
            )
        if values["model_type"] == "blip-2" and text["model_type"] == "t5":
            return Shape("t5", text["num_layers"], text["d_model"], text["d_ff"], values["num_query_tokens"] + 1)
        if values["model_type"] == "llava" and text["model_type"] == "llama":
            patches = (vision["image_size"] // vision["patch_size"]) ** 2
            sizes = text["num_hidden_layers"], text["hidden_size"], text["intermediate_size"]
            return Shape("llama", *sizes, patches + PROMPT_WORDS)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None
