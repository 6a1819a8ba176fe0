"""CLIP: the embeddings of the picture and of the text, each of length 1, concatenated (arXiv 2103.00020).

`rec_features.clip_model` is a folder under data/models/, such as openai/clip-vit-base-patch32 by `hub.json` (2 × 512).
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import normalize
from transformers import AutoTokenizer, CLIPImageProcessorPil, CLIPModel
from transformers.utils.logging import disable_progress_bar

from pipeline.ahead import ahead, batches
from pipeline.errors import UserError
from pipeline.models import MODELS, files_of
from pipeline.progress import track
from recsys.extractors import Options

if TYPE_CHECKING:
    from catalogue.images import ImageStore


@torch.inference_mode()
def image_vectors(ids: Sequence[str], store: "ImageStore", options: Options) -> np.ndarray:
    """(len(ids), dim) float32, each of length 1."""
    model, _, processor = _load(options.clip_model, options.device, options.precision)

    def pixels(batch: list[str]) -> torch.Tensor:  # (batch, 3, height, width)
        return processor([store[item] for item in batch], return_tensors="pt")["pixel_values"]

    vectors, parts = [], batches(list(ids), options.batch_size)
    for batch in track(ahead(pixels, parts, options.readers), "CLIP, pictures", total=len(parts), unit="batch"):
        output = model.get_image_features(pixel_values=batch.to(options.device, model.dtype)).pooler_output
        vectors.append(normalize(output.float()).cpu().numpy())
    return np.concatenate(vectors) if vectors else np.empty((0, model.config.projection_dim), dtype=np.float32)


@torch.inference_mode()
def text_vectors(texts: Sequence[str], options: Options) -> np.ndarray:
    """(len(texts), dim) float32, each of length 1. What a text has beyond the model's longest input is not read."""
    model, tokenizer, _ = _load(options.clip_model, options.device, options.precision)
    longest = model.config.text_config.max_position_embeddings
    order = sorted(range(len(texts)), key=lambda row: (len(texts[row]), texts[row]))  # little padding in a batch
    vectors = np.empty((len(texts), model.config.projection_dim), dtype=np.float32)
    for start in track(range(0, len(texts), options.batch_size), "CLIP, texts", unit="batch"):
        rows = order[start : start + options.batch_size]
        words = [texts[row] for row in rows]
        tokens = tokenizer(words, padding=True, truncation=True, max_length=longest, return_tensors="pt").to(
            options.device
        )
        vectors[rows] = normalize(model.get_text_features(**tokens).pooler_output.float()).cpu().numpy()
    return vectors


@cache
def _load(name: str, device: str, precision: str) -> tuple[Any, Any, Any]:
    """Model, tokenizer and image processor of `data/models/<name>`.

    Raises:
        UserError: there is no such model, or its files are not those of a CLIP with safetensors weights.
    """
    files = files_of(MODELS / name)
    safe: dict[str, Any] = {"trust_remote_code": False, "local_files_only": True}
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    disable_progress_bar()  # of loading single arrays
    try:
        model: Any = CLIPModel.from_pretrained(files, **safe, use_safetensors=True, dtype=dtype)
        tokenizer = AutoTokenizer.from_pretrained(files, **safe)
        processor = CLIPImageProcessorPil.from_pretrained(files, local_files_only=True)
    except OSError as error:
        raise UserError(
            f"{MODELS / name}: cannot load a CLIP (safetensors weights, tokenizer and image processor are needed): {error}"
        ) from error
    return model.to(device).eval(), tokenizer, processor
