"""CLIPScore and RefCLIPScore (Hessel et al. 2021, arXiv 2104.08718), through transformers' CLIP.

    CLIP-S(caption, image) = 2.5 max(cos(caption, image), 0)
    RefCLIP-S = harmonic mean of CLIP-S and max(0, the largest cos(caption, reference)); 0 where either is 0

CLIP reads texts as "A photo depicts …", references too. The authors' program equals this, except that it takes the
largest cosine with a reference as it is where that is negative. The score of a set is the mean over its items. Every
picture and every text is embedded once, in shards, so that a killed run goes on from the last one that is whole.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import normalize

from captioning.scores import Garments
from catalogue.prepared.images import ImageStore
from features.clip import load
from pipeline.batches import make_batches
from pipeline.checkpoints import Content, keep_finished, load_part, temporary_if_none
from pipeline.core.progress import track

METRICS: tuple[str, ...] = ("clip_score", "ref_clip_score")
LEFT_OUT: Mapping[str, str] = {}
PROMPT = "A photo depicts "
WEIGHT = 2.5
BATCH = 64
SHARD = 16 * BATCH  # pictures or texts a file
Encoder = Callable[[Sequence[str]], np.ndarray]  # n names -> (n, dim), each of length 1


def score(garments: Garments) -> pd.DataFrame | None:
    """Score each caption: a row each, columns METRICS; None without a CLIP."""
    if garments.clip_model is None:
        return None
    pairs = list(zip(garments.items, garments.captions, strict=True))
    images = ImageStore(garments.images)
    return clip_scores(pairs, garments.references, images, garments.clip_model, garments.device, garments.work)


def clip_scores(
    pairs: Sequence[tuple[str, str]],
    references: Mapping[str, Sequence[str]],
    images: ImageStore,
    model_folder: Path,
    device: str = "cpu",
    work: Path | None = None,
) -> pd.DataFrame:
    """Score each (item, caption): a row each, in order, columns METRICS, float64.

    Args:
        pairs: (item, caption).
        references: item -> its references; at least one each.
        images: the packed pictures.
        model_folder: `data/models/<name>`: a CLIP with safetensors weights, or a hub.json.
        device: where CLIP runs, `cpu` or `cuda`.
        work: the folder for shards of embeddings; shards that are already there are read.

    Raises:
        UserError: the model is missing or is no CLIP, or an item has no image.
    """
    items = sorted({item for item, _ in pairs})
    texts = sorted({caption for _, caption in pairs} | {text for item in items for text in references[item]})
    images.require(items)
    encode_images, encode_texts = load_encoders(model_folder, images, device)
    pictures = _embed(items, encode_images, "CLIP, pictures", work)
    words = _embed(texts, encode_texts, "CLIP, texts", work)
    to_picture = np.array([WEIGHT * max(float(words[caption] @ pictures[item]), 0.0) for item, caption in pairs])
    to_reference = np.array(
        [max(0.0, *(float(words[caption] @ words[text]) for text in references[item])) for item, caption in pairs]
    )
    total = to_picture + to_reference
    harmonic = np.divide(2 * to_picture * to_reference, total, out=np.zeros(len(pairs)), where=total > 0)
    return pd.DataFrame({"clip_score": to_picture, "ref_clip_score": harmonic}, dtype=np.float64)


def load_encoders(model_folder: Path, images: ImageStore, device: str) -> tuple[Encoder, Encoder]:
    """Load CLIP and return the functions that embed pictures (by item) and texts (with the prompt).

    CLIP does not read the end of a text that is longer than its longest input.
    """
    model, tokenizer, processor = load(model_folder, device, torch.float32)
    longest = model.config.text_config.max_position_embeddings

    @torch.inference_mode()
    def encode_images(items: Sequence[str]) -> np.ndarray:
        pixels = processor([images[item] for item in items], return_tensors="pt")["pixel_values"]  # (n, 3, side, side)
        return _unit(model.get_image_features(pixel_values=pixels.to(device)))

    @torch.inference_mode()
    def encode_texts(texts: Sequence[str]) -> np.ndarray:
        prompts = [PROMPT + text for text in texts]
        tokens = tokenizer(prompts, padding=True, truncation=True, max_length=longest, return_tensors="pt")
        return _unit(model.get_text_features(**tokens.to(device)))

    return encode_images, encode_texts


def _unit(output: Any) -> np.ndarray:
    return normalize(output.pooler_output.double()).cpu().numpy()


def _embed(names: Sequence[str], encode: Encoder, title: str, work: Path | None) -> dict[str, np.ndarray]:
    """Embed each name: name -> (dim,). Shards that `work` has are read, the others are computed and written there."""
    shards = {_shard_name(title, shard): shard for shard in make_batches(list(names), SHARD)}

    def embed(missing: list[list[str]]) -> Iterator[Content]:
        for shard in track(missing, title, unit="shard"):
            yield {"vectors": np.concatenate([encode(batch) for batch in make_batches(shard, BATCH)])}, {}

    vectors: dict[str, np.ndarray] = {}
    with temporary_if_none(work) as folder:
        for shard, path in zip(shards.values(), keep_finished(folder, shards, embed), strict=True):
            arrays, _ = load_part(path)
            vectors |= dict(zip(shard, arrays["vectors"], strict=True))
    return vectors


def _shard_name(title: str, shard: Sequence[str]) -> str:
    digest = hashlib.sha256("\0".join([title, *shard]).encode()).hexdigest()
    return f"clip-{digest[:16]}"
