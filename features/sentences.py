"""Sentence embeddings: MiniLM from its package, or a sentence-transformers model that pools by the mean.

As sentence-transformers runs such a model (mean of the token vectors, then length 1), by transformers alone.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.batches import batch_by_length
from pipeline.core.errors import UserError
from pipeline.core.progress import track
from pipeline.model_folders import MODELS, find_files, read_pin

MINILM = "minilm"  # the name of the package's
POOLING = "1_Pooling/config.json"


def encode(texts: Sequence[str], model: str, batch_size: int, device: str, precision: str = "fp32") -> np.ndarray:
    """The texts' embeddings, each of length 1: (n, dim), float32. A text without words has that of "".

    Args:
        model: `minilm`, or a folder under data/models/.
        precision: fp32 or bf16; MiniLM is always fp32.
    """
    if model == MINILM:
        from features import minilm

        return minilm.encode(texts, batch_size=batch_size, device=device)
    from features.minilm import mean_of_tokens

    vectors: np.ndarray | None = None
    for rows in track(batch_by_length(texts, batch_size), model, unit="batch"):
        tokenizer, network, longest = load_sentence_model(MODELS / model, device, precision)
        batch = mean_of_tokens([texts[row] for row in rows], tokenizer, network, longest)
        vectors = np.empty((len(texts), batch.shape[1]), np.float32) if vectors is None else vectors
        vectors[rows] = batch
    return np.empty((0, 0), np.float32) if vectors is None else vectors


@lru_cache(maxsize=1)
def load_sentence_model(folder: Path, device: str, precision: str) -> tuple[Any, Any, int]:
    """Tokenizer, model and the most tokens it reads.

    Raises:
        UserError: no such model, no safetensors weights, or its pooling is another one than the mean.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils.logging import disable_progress_bar

    files = find_files(folder)
    pooling = _pooling(folder, files)
    if pooling and not pooling.get("pooling_mode_mean_tokens", pooling.get("pooling_mode") == "mean"):
        raise UserError(
            f"{folder}: {POOLING} asks for another pooling than the mean of the tokens, which alone is known"
        )
    disable_progress_bar()  # of loading single arrays
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(files, local_files_only=True)
        model: Any = AutoModel.from_pretrained(files, local_files_only=True, use_safetensors=True, dtype=dtype)
    except OSError as error:
        raise UserError(
            f"{folder}: cannot load a sentence model (safetensors weights and a tokenizer): {error}"
        ) from error
    settings = files / "sentence_bert_config.json"
    longest = json.loads(settings.read_text(encoding="utf-8"))["max_seq_length"] if settings.is_file() else None
    return tokenizer, model.to(device).eval().requires_grad_(False), longest or tokenizer.model_max_length


def _pooling(folder: Path, files: Path) -> dict[str, Any]:
    """How the model pools, by its own file; empty where it has none."""
    if (folder / "hub.json").is_file():
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

        pinned = read_pin(folder)
        try:
            path = Path(hf_hub_download(pinned["id"], POOLING, revision=pinned["revision"]))
        except LocalEntryNotFoundError as error:
            raise UserError(
                f"{folder}: {POOLING} of {pinned['id']} is not on this machine; where there is a network run "
                f"hf download {pinned['id']} {POOLING} --revision {pinned['revision']}"
            ) from error
        except EntryNotFoundError:
            return {}
    else:
        path = files / POOLING
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
