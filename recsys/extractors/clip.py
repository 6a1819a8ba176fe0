"""CLIP: the embeddings of the picture and of the text, each of length 1, concatenated (arXiv 2103.00020).

`rec_features.clip_model` is a folder under data/models/, such as openai/clip-vit-base-patch32 by `hub.json` (2 × 512).
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.nn.functional import normalize

from features.clip import load
from pipeline.batches import batch_by_length, make_batches
from pipeline.core.progress import track
from pipeline.model_folders import MODELS
from pipeline.prefetch import prefetch, reader_threads
from recsys.extractors import Options

if TYPE_CHECKING:
    from catalogue.prepared.images import ImageStore


@torch.inference_mode()
def image_vectors(ids: Sequence[str], store: "ImageStore", options: Options) -> np.ndarray:
    """(len(ids), dim) float32, each of length 1."""
    model, _, processor = _load(options.clip_model, options.device, options.precision)

    def pixels(batch: list[str]) -> torch.Tensor:  # (batch, 3, height, width)
        return processor([store[item] for item in batch], return_tensors="pt")["pixel_values"]

    vectors, parts = [], make_batches(list(ids), options.batch_size)
    for batch in track(
        prefetch(pixels, parts, reader_threads(options.device)), "CLIP, pictures", total=len(parts), unit="batch"
    ):
        output = model.get_image_features(pixel_values=batch.to(options.device, model.dtype)).pooler_output
        vectors.append(normalize(output.float()).cpu().numpy())
    return np.concatenate(vectors) if vectors else np.empty((0, model.config.projection_dim), dtype=np.float32)


@torch.inference_mode()
def text_vectors(texts: Sequence[str], options: Options) -> np.ndarray:
    """(len(texts), dim) float32, each of length 1. What a text has beyond the model's longest input is not read."""
    model, tokenizer, _ = _load(options.clip_model, options.device, options.precision)
    longest = model.config.text_config.max_position_embeddings
    vectors = np.empty((len(texts), model.config.projection_dim), dtype=np.float32)
    for rows in track(batch_by_length(texts, options.batch_size), "CLIP, texts", unit="batch"):
        words = [texts[row] for row in rows]
        tokens = tokenizer(words, padding=True, truncation=True, max_length=longest, return_tensors="pt").to(
            options.device
        )
        vectors[rows] = normalize(model.get_text_features(**tokens).pooler_output.float()).cpu().numpy()
    return vectors


@cache
def _load(name: str, device: str, precision: str) -> tuple[Any, Any, Any]:
    return load(MODELS / name, device, torch.bfloat16 if precision == "bf16" else torch.float32)
