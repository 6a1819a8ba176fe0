"""Sentence embeddings of the description (SentenceBERT, arXiv 1908.10084).

`model: minilm` is all-MiniLM-L6-v2 from a package (384 dimensions, as in the sample); a folder under data/models/ may
hold another sentence-transformers model, or name one by `hub.json`, such as all-mpnet-base-v2 (768). Pooling, prompts
and normalisation are those of the model's own files.
"""

from collections.abc import Sequence

import numpy as np

from features.sentences import encode
from recsys.extractors import ExtractorSettings


class Settings(ExtractorSettings):
    """Section `rec_features.sbert` of params.yaml."""


def text_vectors(texts: Sequence[str], settings: Settings, device: str) -> np.ndarray:
    """Embed the texts: (len(texts), dim) float32. Every text without words has the vector of ""."""
    return encode(texts, settings.model, settings.batch_size, device, settings.precision)
