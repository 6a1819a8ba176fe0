"""A captioner from a folder, or from the hub where the folder holds a `hub.json` with `id` and `revision`.

Weights are safetensors only, no code from a checkpoint is ever run, and the class of the image processor is the family's
choice: transformers' Auto class picks another one as soon as torchvision is installed, with other pixels.
"""

import importlib
from pathlib import Path
from typing import Any, Literal

import torch
from peft import PeftModel
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig
from transformers.utils.logging import disable_progress_bar

from captioning.modelling.captioner import Captioner
from captioning.modelling.lora import freeze_vision, without_peft_warning
from captioning.modelling.memory import is_out_of_memory
from captioning.modelling.quantization import four_bit, without_packing
from pipeline.core.errors import UserError
from pipeline.model_folders import find_files, read_json, read_pin
from pipeline.names import check_name

SAFE: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
CODE_IN = ("config.json", "processor_config.json", "preprocessor_config.json", "tokenizer_config.json")


def load(
    folder: Path | str,
    family: str,
    dtype: torch.dtype,
    device: str | torch.device = "cpu",
    adapter: Path | str | None = None,
    quantization: Literal["none", "nf4"] = "none",
) -> Captioner:
    """The captioner in evaluation mode, its vision side frozen; with `adapter`, the peft adapter of that folder applied.

    Args:
        folder: a saved model with its processor, or a folder with `hub.json`.
        family: name of a module in `captioning.families`.
        dtype: of the weights in memory, whatever the file holds (tiny models are stored in float16).
        quantization: `nf4` keeps the language model's linear layers in 4 bits; they compute in `dtype`.

    Raises:
        UserError: no such folder or family, no safetensors weights, a processor that does not fit the model, an adapter of
            another model, the hub cannot be reached, or there is no GPU where one is asked for.
    """
    disable_progress_bar()  # of a second's work; generation and training have their own
    check_name("family", family, "captioning/families")
    module = importlib.import_module(f"captioning.families.{family}")
    if not hasattr(module, "MODEL"):
        raise UserError(f"{folder}: a captioner of family {family} has captions and no model to load")
    check_device(torch.device(device))
    files = find_files(folder)
    check_files(files, "*.safetensors")
    try:
        config = AutoConfig.from_pretrained(files, **SAFE)
        _check_family(config, module, folder)
        model = _model(module, config, files, dtype, device, quantization)
        captioner = Captioner(model, module.load_processor(files, model), module)
    except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
        if is_out_of_memory(error):
            raise
        raise UserError(
            f"{folder}: cannot load {family} (safetensors weights, tokenizer and image processor are needed): {error}"
        ) from error
    model.name_or_path = Path(folder).as_posix()  # peft writes it into adapters; not where the hub's cache is
    _check_image_tokens(captioner, folder)
    if adapter is not None:
        captioner = Captioner(_with_adapter(captioner, Path(folder), Path(adapter)), captioner.processor, module)
    freeze_vision(captioner)
    captioner.model.eval()
    return captioner


def check_device(device: torch.device) -> None:
    """Raises UserError unless there is such a GPU, where one is asked for."""
    if device.type != "cuda":
        return
    if not torch.cuda.is_available():
        raise UserError("params.yaml: device: cuda, but PyTorch finds no GPU here; use device: cpu")
    found = torch.cuda.device_count()
    if (device.index or 0) >= found:
        raise UserError(
            f"params.yaml: processes: one for each GPU, and PyTorch finds {found} here; use fewer processes"
        )


def load_tokenizer(files: Path) -> Any:
    return AutoTokenizer.from_pretrained(files, **SAFE)


def differs(model_type: str, language_model: str, config: PretrainedConfig) -> str:
    """What is wrong with a config for a family of one architecture; empty if nothing is."""
    found = f"{config.model_type} with {config.get_text_config().model_type}"
    wanted = f"{model_type} with {language_model}"
    return "" if found == wanted else f"{found}, while the family {{family}} is {wanted}"


def check_files(files: Path, pattern: str) -> None:
    """Refuses code, pickles and damaged weights before any of them is read.

    Raises:
        UserError: names the file.
    """
    for path in [files / name for name in CODE_IN if (files / name).is_file()]:
        if "auto_map" in read_json(path):
            raise UserError(
                f"{path}: asks for Python code that comes with the weights (auto_map); such code is never run here: take a "
                "conversion to transformers' own classes (often a repository whose name ends in -hf)"
            )
    weights = sorted(files.glob(pattern))
    if not weights:
        pickles = sorted(path.name for kind in PICKLES for path in files.glob(kind))
        found = f"; {', '.join(pickles)} could run code when read, and is refused: convert it" if pickles else ""
        raise UserError(f"{files}: no weights as safetensors{found}")
    for path in weights:
        try:
            safe_open(path, "pt").__enter__().__exit__(None, None, None)
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path}: damaged safetensors ({error}); remove it and get it again") from error


def _model(
    module: Any,
    config: PretrainedConfig,
    files: Path,
    dtype: torch.dtype,
    device: str | torch.device,
    quantization: str,
) -> Any:
    quantised = quantization != "none"
    placed = {"quantization_config": four_bit(module, config, dtype), "device_map": {"": device}} if quantised else {}
    model, report = module.MODEL.from_pretrained(
        files, **SAFE, **placed, use_safetensors=True, dtype=dtype, output_loading_info=True
    )
    if report["missing_keys"]:
        names = sorted(report["missing_keys"])
        raise UserError(f"{files}: lacks {len(names)} of the model's weights, first {names[0]}; get it again")
    return without_packing(model) if quantised else model.to(device)


def _check_family(config: PretrainedConfig, module: Any, folder: Path | str) -> None:
    problem = module.misfit(config)
    if problem:
        name = module.__name__.rpartition(".")[2]
        raise UserError(
            f"{folder}: {problem.format(family=name)}; correct its `family` under `captioners` in params.yaml"
        )


def _check_image_tokens(captioner: Captioner, folder: Path | str) -> None:
    found = [captioner.tokenizer.convert_tokens_to_ids("<image>"), *captioner.processor.image_token_ids]
    if captioner.image_token_id not in found:
        names = ", ".join(str(token) for token in dict.fromkeys(found) if token is not None)
        raise UserError(
            f"{folder}: the tokenizer's <image> is {names}, the model's image token {captioner.image_token_id}; they belong to different models"
        )


def _with_adapter(captioner: Captioner, folder: Path, adapter: Path) -> PeftModel:
    if not (adapter / "adapter_model.safetensors").is_file():
        raise UserError(
            f"{adapter}: no adapter_model.safetensors (pickled adapters are refused); run `dvc repro` to train it"
        )
    check_files(adapter, "adapter_model.safetensors")
    other = f"{adapter} was trained on {_check_base(folder, adapter) or 'another model'}, not on {folder}"
    with without_peft_warning():
        try:
            model = PeftModel.from_pretrained(captioner.model, str(adapter), low_cpu_mem_usage=False)
        except (RuntimeError, ValueError) as error:  # of other sizes, or without layers of these names
            raise UserError(f"{other}: its layers do not fit ({str(error).splitlines()[0]})") from error
    with safe_open(adapter / "adapter_model.safetensors", "pt") as file:
        stored = set(file.keys())
    made = {name.replace(".default", "") for name in model.state_dict() if "lora_" in name}
    if stored != made:
        raise UserError(f"{other}: {len(stored ^ made)} of its layers do not fit, first {min(stored ^ made)}")
    return model


def _check_base(folder: Path, adapter: Path) -> str:
    """The name of the model that the adapter says it was trained on; empty if it does not say."""
    if not (adapter / "adapter_config.json").is_file():
        raise UserError(f"{adapter}: no adapter_config.json; run `dvc repro` to train it again")
    base = read_json(adapter / "adapter_config.json").get("base_model_name_or_path") or ""
    names = {folder.resolve().name} | ({read_pin(folder)["id"]} if (folder / "hub.json").is_file() else set())
    if base and base not in names and Path(base).name not in names:
        raise UserError(
            f"{adapter} was trained on {base}, not on {folder}; if that is the same model under another name, correct "
            "base_model_name_or_path in its adapter_config.json"
        )
    return base
