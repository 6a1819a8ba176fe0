"""ROUGE-L (Lin 2004) as pycocoevalcap 1.2 computes it: F with beta 1.2 of the best precision and the best recall.

The corpus score is the mean over the items. An empty caption counts as one word that no reference has: 0.
"""

from collections.abc import Sequence

import numpy as np
from pycocoevalcap.rouge.rouge import Rouge


def rouge_l(pairs: Sequence[tuple[str, Sequence[str]]]) -> np.ndarray:
    """The score of each (caption, references), tokenized: (n,)."""
    rouge = Rouge()
    return np.array([rouge.calc_score([caption], references) for caption, references in pairs], dtype=np.float64)
