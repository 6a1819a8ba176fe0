"""Files of weights: refuses code, pickles and damaged files before any of them is read."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from pipeline.core.errors import UserError
from pipeline.model_folders import read_json

PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
CODE_IN = ("config.json", "processor_config.json", "preprocessor_config.json", "tokenizer_config.json")


def check_files(files: Path, pattern: str) -> None:
    """Refuses code, pickles and damaged weights before any of them is read.

    Raises:
        UserError: names the file.
    """
    for path in [files / name for name in CODE_IN if (files / name).is_file()]:
        if "auto_map" in read_json(path):
            raise UserError(
                f"{path}: asks for Python code that comes with the weights (auto_map); such code is never run here: "
                "take a conversion to transformers' own classes (often a repository whose name ends in -hf)"
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
