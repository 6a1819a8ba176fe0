"""ROUGE-L (Lin 2004) as pycocoevalcap 1.2 computes it: F with beta 1.2 of the best precision and the best recall.

The corpus score is the mean over the items. An empty caption counts as one word that no reference has: 0.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

BETA = 1.2


def rouge_l(pairs: Sequence[tuple[str, Sequence[str]]]) -> np.ndarray:
    """The score of each (caption, references), tokenized: (n,)."""
    return np.array([_score(caption.split(" "), references) for caption, references in pairs], dtype=np.float64)


def common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """The length of the longest common subsequence: a row of the usual table is the bits of one integer (Hyyrö 2004)."""
    places: defaultdict[str, int] = defaultdict(int)
    for place, word in enumerate(a):
        places[word] |= 1 << place
    whole = row = (1 << len(a)) - 1
    for word in b:
        matches = row & places.get(word, 0)
        row = ((row + matches) | (row - matches)) & whole
    return len(a) - row.bit_count()


def _score(caption: list[str], references: Sequence[str]) -> float:
    split = [text.split(" ") for text in references]
    common = [common_subsequence(caption, words) for words in split]
    precision = max(common) / len(caption)
    recall = max(length / len(words) for length, words in zip(common, split, strict=True))
    if not precision or not recall:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)
