"""4-bit weights for small cards: NF4 (Dettmers et al. 2023, "QLoRA") by bitsandbytes."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

import torch
from torch import nn
from transformers import BitsAndBytesConfig, PretrainedConfig, T5PreTrainedModel

from captioning.modelling.captioner import Family
from captioning.modelling.lora import list_modules_beside_language_model
from pipeline.core.errors import UserError


def make_four_bit_config(family: Family, config: PretrainedConfig, dtype: torch.dtype) -> BitsAndBytesConfig:
    """Makes settings for `from_pretrained`: the language model's linear layers in 4 bits, computing in `dtype`.

    The vision side keeps its precision, so features of an image do not depend on this choice; so does the head.

    Args:
        family: of the captioner.
        config: of the model.
        dtype: in which the 4-bit layers compute.

    Raises:
        UserError: bitsandbytes is not installed.
    """
    if find_spec("bitsandbytes") is None:
        raise UserError(
            "params.yaml: quantization: nf4 needs bitsandbytes; run `pip install bitsandbytes`, or use "
            "quantization: none"
        )
    with torch.device("meta"):  # no memory: only for the names
        model = (getattr(family.MODEL, "from_config", None) or family.MODEL._from_config)(config)
    head = [name for name, part in model.named_modules() if part is model.get_output_embeddings()]
    beside = [
        f"{name}.{inner}".rstrip(".")
        for name in list_modules_beside_language_model(model)
        for inner in _list_linear(model, name)
    ]
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=dtype,
        bnb_4bit_use_double_quant=True,
        bnb_4bit_quant_storage=dtype,  # T5 brings what enters `wo` to the type of its weights: not to bytes
        llm_int8_skip_modules=[*head, *beside],
    )


@contextmanager
def reach_every_layer() -> Iterator[None]:
    """Lets 4 bits reach `wo` of T5, a third of each feed-forward part: 2 of the 11 thousand millions of Flan-T5-XXL.

    transformers leaves it as it is, because its output is beyond the range of float16. No captioner computes in that.
    """
    left_out = T5PreTrainedModel._keep_in_fp32_modules
    T5PreTrainedModel._keep_in_fp32_modules = []
    try:
        yield
    finally:
        T5PreTrainedModel._keep_in_fp32_modules = left_out


def _list_linear(model: nn.Module, name: str) -> list[str]:
    return [inner for inner, part in model.get_submodule(name).named_modules() if isinstance(part, nn.Linear)]


def disable_packing(model: nn.Module) -> nn.Module:
    """Keeps bitsandbytes 0.50 from packing 4-bit weights when a model is evaluated on newer CPUs.

    The kernel for packed weights computes in bfloat16 and has no backward pass: a model that was evaluated once could
    not be trained, and its results would depend on the machine.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            vars(module)["support_avx512bf16_for_cpu"] = False
    return model
