"""4-bit weights for small cards: NF4 (Dettmers et al. 2023, "QLoRA") by bitsandbytes."""

from importlib.util import find_spec
from typing import Any

import torch
from torch import nn
from transformers import BitsAndBytesConfig, PretrainedConfig

from captioning.modelling.lora import beside_language_model
from pipeline.core.errors import UserError


def four_bit(module: Any, config: PretrainedConfig, dtype: torch.dtype) -> BitsAndBytesConfig:
    """Settings for `from_pretrained`: the language model's linear layers in 4 bits, computing in `dtype`.

    The vision side stays as it is, so features of an image do not depend on this choice; so does the head.

    Args:
        module: of `captioning.families`.
        config: of the model.

    Raises:
        UserError: bitsandbytes is not installed.
    """
    if find_spec("bitsandbytes") is None:
        raise UserError(
            "quantization: nf4 needs bitsandbytes; run `pip install bitsandbytes`, or use quantization: none"
        )
    with torch.device("meta"):  # no memory: only for the names
        model = (getattr(module.MODEL, "from_config", None) or module.MODEL._from_config)(config)
    head = [name for name, part in model.named_modules() if part is model.get_output_embeddings()]
    beside = [f"{name}.{inner}".rstrip(".") for name in beside_language_model(model) for inner in _linear(model, name)]
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=dtype,
        bnb_4bit_use_double_quant=True,
        llm_int8_skip_modules=[*head, *beside],
    )


def _linear(model: nn.Module, name: str) -> list[str]:
    return [inner for inner, part in model.get_submodule(name).named_modules() if isinstance(part, nn.Linear)]


def without_packing(model: nn.Module) -> nn.Module:
    """Evaluation on newer CPUs packs 4-bit weights for a kernel that computes in bfloat16 and has no backward (bitsandbytes
    0.50): a model that was evaluated once could not be trained on, and would depend on the machine."""
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            vars(module)["support_avx512bf16_for_cpu"] = False
    return model
