"""Sentence embeddings of the description (SentenceBERT, arXiv 1908.10084) by `rec_features.text_model`.

`minilm` is all-MiniLM-L6-v2 from a package (384 dimensions, as in the sample); a folder under data/models/ may hold or
name (by hub.json) any other model of sentence-transformers, such as all-mpnet-base-v2 (768). Pooling, prompts and
normalisation are those of the model's own files.
"""

from collections.abc import Sequence

import numpy as np

from features.sentences import encode
from recsys.extractors import Options


def text_vectors(texts: Sequence[str], options: Options) -> np.ndarray:
    """(len(texts), dim) float32. A text without words has the vector of "", the same for all."""
    return encode(texts, options.text_model, options.batch_size, options.device, options.precision)
