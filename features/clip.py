"""CLIP as transformers has it, from a folder or the hub: what embeds pictures and texts (arXiv 2103.00020)."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, CLIPImageProcessorPil, CLIPModel
from transformers.utils.logging import disable_progress_bar

from pipeline.core.errors import UserError
from pipeline.model_folders import files_of


def load(folder: Path, device: str, dtype: torch.dtype) -> tuple[Any, Any, Any]:
    """Model, tokenizer and image processor of `data/models/<name>`.

    Raises:
        UserError: there is no such model, or its files are not all of a CLIP's with safetensors weights.
    """
    files = files_of(folder)
    safe: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    disable_progress_bar()  # of loading single arrays
    try:
        loaded: Any = CLIPModel.from_pretrained(
            files, use_safetensors=True, dtype=dtype, output_loading_info=True, **safe
        )
        tokenizer = AutoTokenizer.from_pretrained(files, **safe)
        processor = CLIPImageProcessorPil.from_pretrained(files, local_files_only=True)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{folder}: cannot load a CLIP (safetensors weights, tokenizer and image processor are needed): {error}"
        ) from error
    model, about = loaded
    if about["missing_keys"]:  # transformers only warns, and goes on with random weights
        raise UserError(f"{folder}: no CLIP: {len(about['missing_keys'])} of its weights are not there")
    return model.to(device).eval(), tokenizer, processor
