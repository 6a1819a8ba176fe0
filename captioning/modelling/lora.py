"""LoRA inside the language model, and a vision side that stays frozen and in evaluation mode.

Targets are regular expressions that peft matches in full. A list of suffixes would reach too far: LLaVA's CLIP tower
has a `q_proj` too, and BLIP-2's `query` is in the Q-Former alone.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any, Literal

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
    """Adds a new adapter to a captioner, ready for training: only the adapter is trainable.

    Args:
        captioner: without an adapter.
        layers: the query and value projections, or every linear layer.
        rank: of the adapter's two matrices.
        alpha: the adapter's output is scaled by alpha / rank, with `use_rslora` by alpha / sqrt(rank).
        dropout: share of the adapter's inputs that are dropped in training.
        use_rslora: see `alpha`.
        scope: `language`, or `all` for the vision side too (Q-Former, tower, projection), then with dropout.

    Raises:
        UserError: with scope `language`, a LoRA layer lies outside the language model (a family's expression is wrong).
    """
    from peft import LoraConfig, get_peft_model  # here: nobody without an adapter waits for it

    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        use_rslora=use_rslora,
        target_modules=captioner.family.choose_lora_targets(captioner.base, layers, scope),
        bias="none",
    )
    thaw_vision(captioner)
    with ignore_peft_warning():
        model = get_peft_model(captioner.model, config)
    wrapped = Captioner(model, captioner.processor, captioner.family)
    if scope == "language":
        check_scope(wrapped)
        freeze_vision(wrapped)
    return wrapped


@contextmanager
def ignore_peft_warning() -> Iterator[None]:
    """Hides a warning of transformers 5 about an attribute that peft 0.21 still reads under its old name."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        yield


def checkpoint_activations(captioner: Captioner) -> None:
    """Keeps one activation per layer of the language model and computes the rest again: less memory, a third slower.

    With an adapter, call it after `apply_lora`. The frozen vision side is in evaluation mode and keeps nothing anyway.
    """
    base = captioner.base
    base.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": False})
    base.enable_input_require_grads()  # else nothing that enters the first layer has a gradient, and no block is stored
    for module in base.modules():  # T5's two halves have configs of their own; generation asks for its cache itself
        if hasattr(module, "config"):
            module.config.use_cache = False


def list_lora_names(captioner: Captioner) -> list[str]:
    """Lists the LoRA parameters by their names in the base model, in order."""
    return [name for name, _ in captioner.base.named_parameters() if "lora_" in name]


def check_scope(captioner: Captioner) -> None:
    """Refuses an adapter that is not inside the language model alone.

    Raises:
        UserError: there is no LoRA layer, or a layer lies outside the language model.
    """
    names, inside = list_lora_names(captioner), find_language_model(captioner.base)
    outside = [name for name in names if not name.startswith(f"{inside}.")]
    if outside or not names:
        problem = (
            f"{len(outside)} of {len(names)} LoRA parameters lie outside the language model, first {outside[0]}"
            if outside
            else "no LoRA layer"
        )
        raise UserError(
            f"{captioner.family.__name__}: {problem}; params.yaml: caption_train.lora_scope: language allows only the "
            "language model (lora_scope: all trains the vision side too)"
        )


def find_language_model(model: Any) -> str:
    """Finds the name of the language model inside a vision-language model, such as `model.text_model`.

    Raises:
        UserError: transformers cannot tell it from the rest.
    """
    decoder = model.get_decoder()
    name = next((name for name, module in model.named_modules() if module is decoder), "")
    if not name:
        raise UserError(f"{type(model).__name__}: cannot tell its language model from its vision side")
    return name


def list_modules_beside_language_model(model: Any) -> list[str]:
    """Lists the names of modules that hold nothing of the language model: tower, Q-Former, projection.

    The head that turns its output into words belongs to the language model.
    """
    head, names, prefix = model.get_output_embeddings(), [], ""
    for step in find_language_model(model).split("."):
        siblings = model.get_submodule(prefix).named_children()
        names += [f"{prefix}.{name}".lstrip(".") for name, module in siblings if name != step and module is not head]
        prefix = f"{prefix}.{step}".lstrip(".")
    return names


def freeze_vision(captioner: Captioner) -> None:
    """Freezes the vision tower and the Q-Former: no gradients, and no dropout even after `model.train()`.

    Their dropout (0.1 in the Q-Former) would make features of the same image differ from step to step.
    """
    thaw_vision(captioner)
    for part in captioner.family.find_vision_parts(captioner.base):
        part.requires_grad_(False)
        part.eval()
        vars(part)["train"] = MethodType(_stay_in_evaluation, part)


def thaw_vision(captioner: Captioner) -> None:
    """Lets `train` and `eval` reach the vision side again, so that a LoRA layer added there can leave training mode."""
    for part in captioner.family.find_vision_parts(captioner.base):
        vars(part).pop("train", None)


def _stay_in_evaluation(part: nn.Module, mode: bool = True) -> nn.Module:
    return part
