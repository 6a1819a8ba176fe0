"""LoRA inside the language model, and a vision side that stays frozen and in evaluation mode.

Targets are regular expressions that peft matches in full. A list of suffixes would do harm: `q_proj` is also the name in
LLaVA's CLIP tower, and BLIP-2's `query` is the Q-Former's alone.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Literal

from peft import LoraConfig, get_peft_model
from torch import nn

from captioning.modelling.captioner import Captioner
from pipeline.errors import UserError


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
        scope: `language`, or `all` for the vision side too (Q-Former, tower, projection).

    Raises:
        UserError: with scope `language`, a LoRA layer lies outside the language model (a family's expression is wrong).
    """
    targets = captioner.family.LORA_TARGETS if scope == "language" else captioner.family.LORA_TARGETS_EVERYWHERE
    config = LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        use_rslora=use_rslora,
        target_modules=targets[layers],
        bias="none",
    )
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


def lora_names(captioner: Captioner) -> list[str]:
    """Names of the LoRA parameters, in the base model's own terms, in order."""
    return [name for name, _ in captioner.base.named_parameters() if "lora_" in name]


def check_scope(captioner: Captioner) -> None:
    """Raises UserError unless there are LoRA layers and all of them lie inside the language model."""
    names = lora_names(captioner)
    outside = [name for name in names if "language_model" not in name]
    if outside or not names:
        found = (
            f"{len(outside)} of {len(names)} LoRA parameters lie outside the language model, first {outside[0]}"
            if outside
            else "no LoRA layer"
        )
        raise UserError(
            f"{captioner.family.__name__}: {found}; lora_scope: language allows only the language model (use lora_scope: all on purpose)"
        )


def freeze_vision(captioner: Captioner) -> None:
    """The vision tower and the Q-Former: no gradients, and no dropout even after `model.train()`.

    Their dropout (0.1 in the Q-Former) would make features of the same image differ from step to step.
    """
    for part in captioner.family.vision_parts(captioner.base):
        part.requires_grad_(False)
        part.eval()
        part.train = MethodType(_stay_in_evaluation, part)


def _stay_in_evaluation(part: nn.Module, mode: bool = True) -> nn.Module:
    return part
