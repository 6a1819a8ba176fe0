"""SentenceBERT of the description (arXiv 1908.10084); each vector has length 1.

`model: minilm` is all-MiniLM-L6-v2 from a package (384 dimensions, as in the sample); a folder under data/models/ may
name another sentence-transformers model of mean pooling, such as sentence-transformers/all-mpnet-base-v2 by `hub.json`
(768).
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
