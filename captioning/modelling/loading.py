"""Load a captioner from a folder, or from the hub where the folder holds a `hub.json` with `id` and `revision`.

Weights are safetensors only, no code from a checkpoint is ever run, and the family fixes the class of the image
processor: transformers' Auto class picks another one as soon as torchvision is installed, with other pixels.
"""

import gc
import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, cast

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig
from transformers.utils.logging import disable_progress_bar

from captioning.modelling.adapters import apply_adapter
from captioning.modelling.captioner import Captioner, Family
from captioning.modelling.lora import freeze_vision
from captioning.modelling.memory import is_out_of_memory
from captioning.modelling.quantization import disable_packing, make_four_bit_config, reach_every_layer
from captioning.modelling.weight_files import CONVERSION, check_files, find_code
from pipeline.core.errors import UserError
from pipeline.model_folders import find_files
from pipeline.names import check_name

SAFE: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}


def load(
    folder: Path | str,
    family: str,
    dtype: torch.dtype,
    device: str | torch.device = "cpu",
    adapter: Path | str | None = None,
    quantization: Literal["none", "nf4"] = "none",
) -> Captioner:
    """Loads a captioner in evaluation mode, its vision side frozen.

    Args:
        folder: a saved model with its processor, or a folder with `hub.json`.
        family: name of a module in `captioning.families`.
        dtype: of the weights in memory; the file may hold another (tiny models are stored in float16).
        device: of the weights in memory.
        adapter: folder of a peft adapter to apply.
        quantization: `nf4` keeps the language model's linear layers in 4 bits; they compute in `dtype`.

    Raises:
        UserError: no such folder or family, no safetensors weights, a processor that does not fit the model, an adapter
            of another model, the hub cannot be reached, or `device` is a GPU that does not exist.
    """
    disable_progress_bar()  # of a second's work; generation and training have their own
    module = load_family(family, folder)
    check_device(torch.device(device))
    if torch.device(device).type == "cuda":
        gc.collect()  # an earlier captioner may hold itself in a circle, and memory of the GPU with it
    files = find_files(folder)
    check_files(files, "*.safetensors")
    try:
        config = AutoConfig.from_pretrained(files, **SAFE)
        _check_config(config, module, folder)
        model = _load_model(module, config, files, dtype, device, quantization)
        captioner = Captioner(model, module.load_processor(files, model), module)
    except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
        if is_out_of_memory(error):
            raise
        hint = (
            f"; {code[0].name} asks for code that is never run here: {CONVERSION}" if (code := find_code(files)) else ""
        )
        raise UserError(
            f"{folder}: cannot load {family} (safetensors weights, tokenizer and image processor are needed): "
            f"{error}{hint}"
        ) from error
    model.name_or_path = Path(folder).as_posix()  # peft writes it into adapters; not where the hub's cache is
    _check_image_tokens(captioner, folder)
    if adapter is not None:
        captioner = Captioner(apply_adapter(captioner, Path(folder), Path(adapter)), captioner.processor, module)
    freeze_vision(captioner)
    captioner.model.eval()
    return captioner


def load_family(name: str, folder: Path | str) -> Family:
    """Imports a family's module.

    Args:
        name: of a module in `captioning.families`.
        folder: of the captioner, for the message.

    Raises:
        UserError: there is no such family, or it has captions and no model.
    """
    check_name("family", name, "captioning/families")
    module = import_module(f"captioning.families.{name}")
    if not hasattr(module, "MODEL"):
        raise UserError(f"{folder}: a captioner of family {name} has captions and no model to load")
    return cast(Family, module)


def check_device(device: torch.device) -> None:
    """Refuses a GPU that does not exist; a CPU always does.

    Raises:
        UserError: PyTorch finds no GPU, or fewer GPUs than processes.
    """
    if device.type != "cuda":
        return
    if not torch.cuda.is_available():
        raise UserError("params.yaml: device: cuda, but PyTorch finds no GPU here; use device: cpu")
    n_gpus = torch.cuda.device_count()
    if (device.index or 0) >= n_gpus:
        raise UserError(
            f"params.yaml: machine.processes: one for each GPU, and PyTorch finds {n_gpus} here; use fewer processes"
        )


def load_tokenizer(files: Path) -> Any:
    """Loads a tokenizer, running no code of the checkpoint."""
    return AutoTokenizer.from_pretrained(files, **SAFE)


def compare_config(config: PretrainedConfig, model_type: str, language_model: str) -> str:
    """Says how a config differs from a family's only architecture; empty if it does not."""
    model = f"{config.model_type} with {config.get_text_config().model_type}"
    allowed = f"{model_type} with {language_model}"
    return "" if model == allowed else f"the model is {model}, this family is {allowed}"


def _load_model(
    family: Family,
    config: PretrainedConfig,
    files: Path,
    dtype: torch.dtype,
    device: str | torch.device,
    quantization: str,
) -> Any:
    """Loads the weights, tensor by tensor where they shall lie: only a CPU holds the whole model in its memory."""
    quantised = quantization != "none"
    more: dict[str, Any] = {} if torch.device(device).type == "cpu" and not quantised else {"device_map": {"": device}}
    if quantised:
        more["quantization_config"] = make_four_bit_config(family, config, dtype)
    with reach_every_layer() if quantised else nullcontext(), _ignore_untied_heads():
        model, report = family.MODEL.from_pretrained(
            files, **SAFE, **more, use_safetensors=True, dtype=dtype, output_loading_info=True
        )
    if report["missing_keys"]:
        names = sorted(report["missing_keys"])
        raise UserError(f"{files}: lacks {len(names)} of the model's weights, first {names[0]}; get it again")
    return disable_packing(model) if quantised else model.to(device)


@contextmanager
def _ignore_untied_heads() -> Iterator[None]:
    """Hides transformers' advice to change the config of the published Flan-T5s: it keeps their heads, as is right."""
    logger = logging.getLogger("transformers.modeling_utils")

    def is_other(record: logging.LogRecord) -> bool:
        return "so we will NOT tie them" not in record.getMessage()

    logger.addFilter(is_other)
    try:
        yield
    finally:
        logger.removeFilter(is_other)


def _check_config(config: PretrainedConfig, family: Family, folder: Path | str) -> None:
    problem = family.check_config(config)
    if problem:
        name = family.__name__.rpartition(".")[2]
        raise UserError(
            f"{folder}: family {name} does not fit: {problem}; correct `family` of this captioner under `captioners` "
            "in params.yaml"
        )


def _check_image_tokens(captioner: Captioner, folder: Path | str) -> None:
    tokens = [captioner.tokenizer.convert_tokens_to_ids("<image>"), *captioner.processor.image_token_ids]
    if captioner.image_token_id not in tokens:
        names = ", ".join(str(token) for token in dict.fromkeys(tokens) if token is not None)
        raise UserError(
            f"{folder}: the tokenizer's <image> is {names}, the model's image token {captioner.image_token_id}; they "
            "belong to different models: use the tokenizer that came with the weights"
        )
