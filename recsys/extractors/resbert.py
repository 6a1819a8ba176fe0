"""Picture and words: the image features `resnet50` and SentenceBERT of the description, each scaled, side by side.

Both blocks have length 1 in every row, so neither outweighs the other. The image features are centred on the mean of
all items first: they come out of a rectifier, so all of them point the same way, and their length would be mostly what
the pictures have in common. Nothing is fitted on the texts, so an item's row does not depend on other items' words.
`model` is a sentence model, as that of `sbert`.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from catalogue.prepared.views import name_item
from features.files import read_features
from features.sentences import encode
from recsys.extractors import ExtractorSettings

if TYPE_CHECKING:
    from catalogue.prepared.images import ImageStore

RESNET50 = Path("data/features/image/resnet50")
ROUNDING = 0.01  # of a length in bf16


class Settings(ExtractorSettings):
    """Section `rec_features.resbert` of params.yaml."""


def image_vectors(ids: Sequence[str], store: "ImageStore", settings: Settings, device: str) -> np.ndarray:
    """Return the stored image features of the items of these pictures, centred, each of length 1: (len(ids), dim).

    What is stored of an item is the mean over its pictures: each of them has that row, float32.
    """
    centred = read_features(RESNET50).take([name_item(name) for name in ids]) - _mean(RESNET50.resolve())
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    return centred / np.maximum(length, 1e-12)


@cache
def _mean(folder: Path) -> np.ndarray:
    """Return the mean of all stored rows, once a process: (dim,) float32."""
    return read_features(folder).array.mean(axis=0, dtype=np.float64).astype(np.float32)


def text_vectors(texts: Sequence[str], settings: Settings, device: str) -> np.ndarray:
    """Embed texts as `sbert` does, and scale each vector to length 1: (len(texts), dim) float32."""
    vectors = encode(texts, settings.model, settings.batch_size, device, settings.precision)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    is_scaled = np.abs(length - 1) < ROUNDING  # by the model itself: its bits stay
    return vectors / np.where(is_scaled, np.float32(1), np.maximum(length, 1e-12))
