"""LoRA inside the language model, and a vision side that stays frozen and in evaluation mode.

Targets are regular expressions that peft matches in full. A list of suffixes would do harm: `q_proj` is also the name in
LLaVA's CLIP tower, and BLIP-2's `query` is the Q-Former's alone.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any, Literal

from peft import LoraConfig, get_peft_model
from torch import nn

from captioning.modelling.captioner import Captioner
from pipeline.core.errors import UserError


def apply_lora(
    captioner: Captioner,
    layers: Literal["query-value", "all-linear"],
    rank: int,
    alpha: int,
    dropout: float,
    use_rslora: bool,
    scope: Literal["language", "all"] = "language",
) -> Captioner:
    """The captioner with a new adapter, ready for training: only the adapter is trainable.

    Args:
        layers: the query and value projections, or every linear layer.
        alpha: the adapter's output is scaled by alpha / rank, with `use_rslora` by alpha / sqrt(rank).
        scope: `language`, or `all` for the vision side too (Q-Former, tower, projection), which then trains with dropout.

    Raises:
        UserError: with scope `language`, a LoRA layer lies outside the language model (a family's expression is wrong).
    """
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        use_rslora=use_rslora,
        target_modules=captioner.family.lora_targets(captioner.base, layers, scope),
        bias="none",
    )
    thaw_vision(captioner)
    with without_peft_warning():
        model = get_peft_model(captioner.model, config)
    wrapped = Captioner(model, captioner.processor, captioner.family)
    if scope == "language":
        check_scope(wrapped)
        freeze_vision(wrapped)
    return wrapped


@contextmanager
def without_peft_warning() -> Iterator[None]:
    """peft 0.21 still asks a model for what transformers 5 has renamed."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        yield


def checkpoint_activations(captioner: Captioner) -> None:
    """Keeps one activation a layer of the language model and computes the rest again: less memory, about a third slower.

    With an adapter, call it after `apply_lora`. The frozen vision side is in evaluation mode and keeps nothing anyway.
    """
    base = captioner.base
    base.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    base.enable_input_require_grads()  # else nothing that enters the first layer has a gradient, and no block is stored
    for module in base.modules():  # T5's two halves have configs of their own; generation asks for its cache itself
        if hasattr(module, "config"):
            module.config.use_cache = False


def lora_names(captioner: Captioner) -> list[str]:
    """Names of the LoRA parameters, in the base model's own terms, in order."""
    return [name for name, _ in captioner.base.named_parameters() if "lora_" in name]


def check_scope(captioner: Captioner) -> None:
    """Raises UserError unless there are LoRA layers and all of them lie inside the language model."""
    names, inside = lora_names(captioner), language_model_name(captioner.base)
    outside = [name for name in names if not name.startswith(f"{inside}.")]
    if outside or not names:
        found = (
            f"{len(outside)} of {len(names)} LoRA parameters lie outside the language model, first {outside[0]}"
            if outside
            else "no LoRA layer"
        )
        raise UserError(
            f"{captioner.family.__name__}: {found}; lora_scope: language allows only the language model (use lora_scope: all on purpose)"
        )


def language_model_name(model: Any) -> str:
    """Where the language model is inside a vision-language model: `language_model`, `model.text_model`, …

    Raises:
        UserError: transformers cannot tell it from the rest.
    """
    decoder = model.get_decoder()
    name = next((name for name, module in model.named_modules() if module is decoder), "")
    if not name:
        raise UserError(f"{type(model).__name__}: no language model inside that could be told from the vision side")
    return name


def beside_language_model(model: Any) -> list[str]:
    """Names of the modules that lie beside the language model, with nothing of it inside: tower, Q-Former, projection.

    The head that turns its output into words belongs to it.
    """
    head, names, prefix = model.get_output_embeddings(), [], ""
    for step in language_model_name(model).split("."):
        siblings = model.get_submodule(prefix).named_children()
        names += [f"{prefix}.{name}".lstrip(".") for name, module in siblings if name != step and module is not head]
        prefix = f"{prefix}.{step}".lstrip(".")
    return names


def freeze_vision(captioner: Captioner) -> None:
    """The vision tower and the Q-Former: no gradients, and no dropout even after `model.train()`.

    Their dropout (0.1 in the Q-Former) would make features of the same image differ from step to step.
    """
    thaw_vision(captioner)
    for part in captioner.family.vision_parts(captioner.base):
        part.requires_grad_(False)
        part.eval()
        part.train = MethodType(_stay_in_evaluation, part)


def thaw_vision(captioner: Captioner) -> None:
    """`train` and `eval` reach the vision side again: a LoRA layer that is added there must be able to leave training mode."""
    for part in captioner.family.vision_parts(captioner.base):
        part.__dict__.pop("train", None)


def _stay_in_evaluation(part: nn.Module, mode: bool = True) -> nn.Module:
    return part
