"""CLIPScore and RefCLIPScore (Hessel et al. 2021, arXiv 2104.08718), through transformers' CLIP.

    CLIP-S(caption, image) = 2.5 max(cos(caption, image), 0)
    RefCLIP-S = harmonic mean of CLIP-S and max(0, the largest cos(caption, reference)); 0 where either is 0

Texts are read as "A photo depicts …" by CLIP, references too. The authors' program equals this; it takes the largest
cosine with a reference as it is where that is negative. Every picture and every text is embedded once, in shards that a
run that was killed finds again.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import normalize

from catalogue.prepared.images import ImageStore
from features.clip import load
from pipeline.batches import make_batches
from pipeline.checkpoints import Content, keep_finished, load_part, temporary_if_none
from pipeline.core.progress import track

PROMPT = "A photo depicts "
WEIGHT = 2.5
BATCH = 64
SHARD = 16 * BATCH  # pictures or texts that are kept together
Encoder = Callable[[Sequence[str]], np.ndarray]  # n names -> (n, dim), each of length 1


def score(
    pairs: Sequence[tuple[str, str]],
    references: Mapping[str, Sequence[str]],
    images: ImageStore,
    model_folder: Path,
    device: str = "cpu",
    checkpoints: Path | None = None,
) -> pd.DataFrame:
    """A row per (item, caption), in order: `clip_score`, `ref_clip_score`, float64.

    Args:
        references: item -> its references; at least one each.
        model_folder: `data/models/<name>`: a CLIP with safetensors weights, or a hub.json.
        checkpoints: a folder for finished shards of embeddings, which are not computed again.

    Raises:
        UserError: the model is missing or is no CLIP, or an item has no image.
    """
    items = sorted({item for item, _ in pairs})
    texts = sorted({caption for _, caption in pairs} | {text for item in items for text in references[item]})
    images.require(items)
    of_image, of_text = encoders(model_folder, images, device)
    pictures = _embed(items, of_image, "CLIP, pictures", checkpoints)
    words = _embed(texts, of_text, "CLIP, texts", checkpoints)
    seen = np.array([WEIGHT * max(float(words[text] @ pictures[item]), 0.0) for item, text in pairs])
    told = np.array([max(0.0, *(float(words[text] @ words[one]) for one in references[item])) for item, text in pairs])
    both = seen + told
    harmonic = np.divide(2 * seen * told, both, out=np.zeros(len(pairs)), where=both > 0)
    return pd.DataFrame({"clip_score": seen, "ref_clip_score": harmonic}, dtype=np.float64)


def encoders(model_folder: Path, images: ImageStore, device: str) -> tuple[Encoder, Encoder]:
    """What embeds pictures (by item) and texts (with the prompt; what is beyond CLIP's longest input is not read)."""
    model, tokenizer, processor = load(model_folder, device, torch.float32)
    longest = model.config.text_config.max_position_embeddings

    @torch.inference_mode()
    def of_image(items: Sequence[str]) -> np.ndarray:
        pixels = processor([images[item] for item in items], return_tensors="pt")["pixel_values"]  # (n, 3, side, side)
        return _unit(model.get_image_features(pixel_values=pixels.to(device)))

    @torch.inference_mode()
    def of_text(texts: Sequence[str]) -> np.ndarray:
        prompted = [PROMPT + text for text in texts]
        tokens = tokenizer(prompted, padding=True, truncation=True, max_length=longest, return_tensors="pt")
        return _unit(model.get_text_features(**tokens.to(device)))

    return of_image, of_text


def _unit(found: Any) -> np.ndarray:
    return normalize(found.pooler_output.double()).cpu().numpy()


def _embed(names: Sequence[str], encode: Encoder, what: str, checkpoints: Path | None) -> dict[str, np.ndarray]:
    """Map each name to its embedding (dim,)."""
    shards = {_shard_name(what, shard): shard for shard in make_batches(list(names), SHARD)}

    def embed(missing: list[list[str]]) -> Iterator[Content]:
        for shard in track(missing, what, unit="shard"):
            yield {"vectors": np.concatenate([encode(batch) for batch in make_batches(shard, BATCH)])}, {}

    vectors: dict[str, np.ndarray] = {}
    with temporary_if_none(checkpoints) as folder:
        for shard, path in zip(shards.values(), keep_finished(folder, shards, embed), strict=True):
            arrays, _ = load_part(path)
            vectors |= dict(zip(shard, arrays["vectors"], strict=True))
    return vectors


def _shard_name(what: str, shard: Sequence[str]) -> str:
    digest = hashlib.sha256("\0".join([what, *shard]).encode()).hexdigest()
    return f"clip-{digest[:16]}"
