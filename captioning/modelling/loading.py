"""A captioner from a folder, or from the hub where the folder holds a `hub.json` with `id` and `revision`.

Weights are safetensors only, no code from a checkpoint is ever run, and the class of the image processor is the family's
choice: transformers' Auto class picks another one as soon as torchvision is installed, with other pixels.
"""

import importlib
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig
from transformers.utils.logging import disable_progress_bar

from captioning.modelling.captioner import Captioner
from captioning.modelling.lora import freeze_vision, without_peft_warning
from pipeline.errors import UserError
from pipeline.models import where

SAFE: dict[str, Any] = {"trust_remote_code": False}


def load(
    folder: Path | str,
    family: str,
    dtype: torch.dtype,
    device: str | torch.device = "cpu",
    adapter: Path | str | None = None,
) -> Captioner:
    """The captioner in evaluation mode, its vision side frozen; with `adapter`, the peft adapter of that folder applied.

    Args:
        folder: a saved model with its processor, or a folder with `hub.json`.
        family: name of a module in `captioning.families`.
        dtype: of the weights in memory, whatever the file holds (tiny models are stored in float16).

    Raises:
        UserError: no such folder or family, no safetensors weights, a processor that does not fit the model, or the hub
            cannot be reached.
    """
    disable_progress_bar()  # of a second's work; generation and training have their own
    module = _family(family)
    source = where(folder)
    try:
        _check_family(AutoConfig.from_pretrained(**source, **SAFE), module, folder)
        model = module.MODEL.from_pretrained(**source, **SAFE, use_safetensors=True, dtype=dtype)
        tokenizer = AutoTokenizer.from_pretrained(**source, **SAFE)
        image_processor = module.IMAGE_PROCESSOR.from_pretrained(**source)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot load {family} (safetensors weights, tokenizer and image processor are needed): {error}"
        ) from error
    captioner = Captioner(model, module.processor(model, image_processor, tokenizer), module)
    _check_image_token(captioner, folder)
    freeze_vision(captioner)
    if adapter is not None:
        captioner = Captioner(_with_adapter(captioner, Path(adapter)), captioner.processor, module)
    captioner.model.to(device).eval()
    return captioner


def _family(name: str) -> Any:
    if not name.isidentifier() or not (Path(__file__).parent.parent / "families" / f"{name}.py").is_file():
        raise UserError(f"{name}: no such captioner family in captioning/families/")
    return importlib.import_module(f"captioning.families.{name}")


def _check_family(config: PretrainedConfig, module: Any, folder: Path | str) -> None:
    found = (config.model_type, config.get_text_config().model_type)
    wanted = (module.MODEL.config_class.model_type, module.LANGUAGE_MODEL)
    if found != wanted:
        name = module.__name__.rpartition(".")[2]
        raise UserError(
            f"{folder}: {found[0]} with {found[1]}, while the family {name} is {wanted[0]} with {wanted[1]}; "
            "correct its `family` under `captioners` in params.yaml"
        )


def _check_image_token(captioner: Captioner, folder: Path | str) -> None:
    found = captioner.tokenizer.convert_tokens_to_ids("<image>")
    if found != captioner.image_token_id:
        raise UserError(
            f"{folder}: the tokenizer's <image> is {found}, the model's image token {captioner.image_token_id}; they belong to different models"
        )


def _with_adapter(captioner: Captioner, adapter: Path) -> PeftModel:
    if not (adapter / "adapter_model.safetensors").is_file():
        raise UserError(
            f"{adapter}: no adapter_model.safetensors (pickled adapters are refused); run `dvc repro` to train it"
        )
    with without_peft_warning():
        return PeftModel.from_pretrained(captioner.model, str(adapter))
