"""Loads CLIP, which embeds pictures and texts (arXiv 2103.00020), through transformers from a folder or the hub."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, CLIPImageProcessorPil, CLIPModel
from transformers.utils.logging import disable_progress_bar

from pipeline.core.errors import UserError
from pipeline.model_folders import find_files


def load(folder: Path, device: str, dtype: torch.dtype) -> tuple[Any, Any, Any]:
    """Load model, tokenizer and image processor of `data/models/<name>`.

    Args:
        folder: `data/models/<name>`, with the model's files or a hub.json.
        device: the model's.
        dtype: of the weights.

    Raises:
        UserError: there is no such model, or a file of a CLIP with safetensors weights is missing.
    """
    files = find_files(folder)
    safe: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    disable_progress_bar()  # transformers shows one for each load
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
    model, info = loaded
    if info["missing_keys"]:  # transformers only warns, and continues with random weights
        raise UserError(f"{folder}: not a CLIP: {len(info['missing_keys'])} of its weights are missing")
    return model.to(device).eval(), tokenizer, processor
