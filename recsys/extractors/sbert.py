"""SentenceBERT of the description: all-MiniLM-L6-v2, 384 dimensions, each vector of length 1."""

from collections.abc import Sequence

import numpy as np

from pipeline.minilm import encode
from recsys.extractors import Options


def text_vectors(texts: Sequence[str], options: Options) -> np.ndarray:
    """(len(texts), 384) float32. A text without words has the vector of "", the same for all."""
    return encode(texts, batch_size=options.batch_size, device=options.device)
