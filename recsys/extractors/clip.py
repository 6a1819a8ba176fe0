"""CLIP: the embeddings of the picture and of the text, each of length 1, side by side (arXiv 2103.00020).

`model` is a folder under data/models/, such as openai/clip-vit-base-patch32 by `hub.json` (2 × 512 dimensions).
"""

from collections.abc import Sequence
from copy import copy
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pipeline.batches import batch_by_length, make_batches
from pipeline.core.progress import track
from pipeline.model_folders import MODELS
from pipeline.prefetch import prefetch, reader_threads
from recsys.extractors import ExtractorSettings

if TYPE_CHECKING:
    import torch

    from catalogue.prepared.images import ImageStore


class Settings(ExtractorSettings):
    """Section `rec_features.clip` of params.yaml."""

    square: Literal["own", "pad"]


def image_vectors(ids: Sequence[str], store: "ImageStore", settings: Settings, device: str) -> np.ndarray:
    """Embed the pictures: (len(ids), dim) float32, each of length 1."""
    import torch

    from features.squares import mean_colour, pad_to_square, stop_cropping

    model, _, processor = _load(settings.model, device, settings.precision)
    if settings.square == "pad":
        processor = stop_cropping(copy(processor))

    def read_pixels(batch: list[str]) -> torch.Tensor:  # (batch, 3, height, width)
        images = [store[item] for item in batch]
        if settings.square == "pad":
            images = [pad_to_square(image, mean_colour(processor)) for image in images]
        return processor(images, return_tensors="pt")["pixel_values"]

    vectors, parts = [], make_batches(list(ids), settings.batch_size)
    pixels = prefetch(read_pixels, parts, reader_threads(device))
    with torch.inference_mode():
        for batch in track(pixels, "CLIP, pictures", total=len(parts), unit="batch"):
            output = model.get_image_features(pixel_values=batch.to(device, model.dtype)).pooler_output
            vectors.append(_normalize(output))
    return np.concatenate(vectors) if vectors else np.empty((0, model.config.projection_dim), dtype=np.float32)


def text_vectors(texts: Sequence[str], settings: Settings, device: str) -> np.ndarray:
    """Embed the texts: (len(texts), dim) float32, each of length 1; a text is cut at the model's longest input."""
    import torch

    model, tokenizer, _ = _load(settings.model, device, settings.precision)
    longest = model.config.text_config.max_position_embeddings
    vectors = np.empty((len(texts), model.config.projection_dim), dtype=np.float32)
    with torch.inference_mode():
        for rows in track(batch_by_length(texts, settings.batch_size), "CLIP, texts", unit="batch"):
            words = [texts[row] for row in rows]
            tokens = tokenizer(words, padding=True, truncation=True, max_length=longest, return_tensors="pt")
            vectors[rows] = _normalize(model.get_text_features(**tokens.to(device)).pooler_output)
    return vectors


def _normalize(embeddings: "torch.Tensor") -> np.ndarray:
    from torch.nn.functional import normalize

    return normalize(embeddings.float()).cpu().numpy()


@cache
def _load(name: str, device: str, precision: str) -> tuple[Any, Any, Any]:
    """Return model, tokenizer and image processor, once a process."""
    import torch

    from features.clip import load

    return load(MODELS / name, device, torch.bfloat16 if precision == "bf16" else torch.float32)
