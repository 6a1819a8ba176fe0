"""Applies a peft adapter to a captioner, also one whose layers are named as by an older transformers.

LLaVA's `language_model.model.layers.0` became `model.language_model.layers.0`. peft leaves out what it cannot find, so
an adapter under the old names would change nothing. Names are compared without the parts that moved.
"""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from captioning.modelling.captioner import Captioner
from captioning.modelling.lora import ignore_peft_warning
from captioning.modelling.weight_files import check_files
from pipeline.core.errors import UserError
from pipeline.model_folders import read_json, read_pin

if TYPE_CHECKING:
    from peft import PeftModel

WEIGHTS, CONFIG = "adapter_model.safetensors", "adapter_config.json"
PREFIX = "base_model.model."  # of every name in an adapter
KEY = re.compile(rf"^{re.escape(PREFIX)}(.+?)\.(lora_[^.]+(?:\..+)?|[^.]+)$")  # module, parameter
MOVED = ("model", "vision_model")  # parts of a name that transformers added, removed or put elsewhere
HEAD = "lm_head"
PATTERNS = ("alpha_pattern", "rank_pattern")  # of an adapter's config: a module, or a pattern of modules -> its value


def apply_adapter(captioner: Captioner, folder: Path, adapter: Path) -> "PeftModel":
    """Applies the adapter of a folder, with the modules that were trained in full (`modules_to_save`).

    Raises:
        UserError: a file is missing or damaged, or the adapter is one of another model.
    """
    from peft import PeftModel, get_peft_model_state_dict  # here: nobody without an adapter waits for it

    if not (adapter / WEIGHTS).is_file():
        raise UserError(f"{adapter}: no {WEIGHTS} (pickled adapters are refused); run `dvc repro` to train it")
    check_files(adapter, WEIGHTS)
    other = f"{adapter} was trained on {_check_base(folder, adapter) or 'another model'}, not on {folder}"
    with safe_open(adapter / WEIGHTS, "pt") as file:
        stored = list(file.keys())
    present = rename_keys(captioner.model, stored)
    with ignore_peft_warning(), TemporaryDirectory() as temporary:
        files = adapter if present == {key: key for key in stored} else Path(temporary)
        if files != adapter:
            _write_renamed(adapter, files, present)
        try:
            model = PeftModel.from_pretrained(captioner.model, str(files), low_cpu_mem_usage=False)
        except (RuntimeError, ValueError, TypeError, KeyError, AttributeError) as error:  # of other sizes or names
            reason = str(error).partition("\n")[0]
            raise UserError(f"{other}: its layers do not fit ({reason})") from error
    in_model = {
        PREFIX + name.removeprefix(PREFIX) for name in get_peft_model_state_dict(model, save_embedding_layers=False)
    }
    wrong = set(present.values()) ^ in_model
    if wrong:
        raise UserError(f"{other}: {len(wrong)} of its layers do not fit, first {min(wrong)}")
    return model


def rename_keys(model: nn.Module, stored: Sequence[str]) -> dict[str, str]:
    """Maps each name of an adapter to the name that its layer has in this model; unknown names stay."""
    modules = {name for name, _ in model.named_modules()}
    by_parts = defaultdict(list)
    for name in modules:
        by_parts[_take_fixed_parts(name)].append(name)
    renamed = {}
    for key in stored:
        match = KEY.match(key)
        found = by_parts.get(_take_fixed_parts(match.group(1)), []) if match and match.group(1) not in modules else []
        renamed[key] = f"{PREFIX}{found[0]}.{match.group(2)}" if match and len(found) == 1 else key
    return renamed if len(set(renamed.values())) == len(stored) else {key: key for key in stored}


def _take_fixed_parts(name: str) -> tuple[str, ...]:
    """Takes the parts of a module's name that no version of transformers moves."""
    parts = [part for part in name.split(".") if part not in MOVED]
    return (HEAD,) if parts[-1:] == [HEAD] else tuple(parts)


def _write_renamed(adapter: Path, folder: Path, names: Mapping[str, str]) -> None:
    """Writes the adapter under the present names, its modules one by one: a pattern would have the old names."""
    weights = load_file(adapter / WEIGHTS)
    save_file({names[key]: value for key, value in weights.items()}, folder / WEIGHTS, {"format": "pt"})
    matches = ((KEY.match(old), KEY.match(new)) for old, new in names.items() if ".lora_" in new)
    modules = {old.group(1): new.group(1) for old, new in matches if old and new}
    config = read_json(adapter / CONFIG)
    patterns = {name: _rename_pattern(config.get(name) or {}, modules) for name in PATTERNS}
    config |= {"target_modules": sorted(set(modules.values()))} | patterns
    (folder / CONFIG).write_text(json.dumps(config), encoding="utf-8")


def _rename_pattern(pattern: Mapping[str, int], modules: Mapping[str, str]) -> dict[str, int]:
    """Maps the present name of each module to the value that a pattern has for its old one, where it has one."""
    from peft.utils.other import get_pattern_key

    keys = {new: get_pattern_key(list(pattern), old) for old, new in modules.items()}
    return {f"^{re.escape(new)}": pattern[key] for new, key in keys.items() if key in pattern}


def _check_base(folder: Path, adapter: Path) -> str:
    """Returns the name of the model that the adapter's config names; empty if it names none."""
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
