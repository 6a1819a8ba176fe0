"""Files of weights: refuses code, pickles and damaged files before any of them is read."""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

from pipeline.core.errors import UserError
from pipeline.model_folders import read_json

PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
CODE_IN = ("config.json", "processor_config.json", "preprocessor_config.json", "tokenizer_config.json")


CONVERSION = "take a conversion to transformers' own classes (often a repository whose name ends in -hf)"


def find_code(files: Path) -> list[Path]:
    """Lists the files of a model's folder that name Python code which comes with the weights (`auto_map`)."""
    return [path for path in map(files.joinpath, CODE_IN) if path.is_file() and "auto_map" in read_json(path)]


def _is_known(files: Path) -> bool:
    """Tells whether transformers has a class for the model; then it needs none of the code, and runs none."""
    path = files / "config.json"
    return path.is_file() and read_json(path).get("model_type") in CONFIG_MAPPING_NAMES


def check_files(files: Path, pattern: str) -> None:
    """Refuses pickles, damaged weights, and models that are nothing without code of their own.

    (Many repositories keep their `auto_map` for old versions of transformers, which has their classes by now.)

    Raises:
        UserError: names the file.
    """
    code = find_code(files)
    if code and not _is_known(files):
        raise UserError(
            f"{code[0]}: asks for Python code that comes with the weights (auto_map), and transformers has no class of "
            f"its own for this model; such code is never run here: {CONVERSION}"
        )
    weights = sorted(files.glob(pattern))
    if not weights:
        pickles = sorted(path.name for kind in PICKLES for path in files.glob(kind))
        hint = f"; {', '.join(pickles)} could run code when read, and is refused: convert it" if pickles else ""
        raise UserError(f"{files}: no weights as safetensors{hint}")
    for path in weights:
        try:
            safe_open(path, "pt").__enter__().__exit__(None, None, None)
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path}: damaged safetensors ({error}); remove it and get it again") from error
