"""ROUGE-L (Lin 2004) as pycocoevalcap 1.2 computes it.

    ROUGE-L = (1 + beta²) · precision · recall / (recall + beta² · precision), beta = 1.2
    precision = longest common subsequence of caption and reference / words of the caption
    recall = longest common subsequence of caption and reference / words of the reference

Of several references the best precision and the best recall count, also where they belong to different ones. The corpus
score is the mean over the items. An empty caption counts as one word that no reference has, and scores 0.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from captioning.scores import Pairs

METRICS: tuple[str, ...] = ("rouge_l",)
BETA = 1.2


def score(pairs: Pairs) -> np.ndarray:
    """Score each pair: (n, 1)."""
    return rouge_l(pairs.tokenized)[:, None]


def rouge_l(pairs: Sequence[tuple[str, Sequence[str]]]) -> np.ndarray:
    """Score each (caption, references), tokenized: (n,).

    >>> pairs = [("a red dress", ["a red dress"]), ("a red dress", ["a dress in red"]), ("", ["a cap"])]
    >>> rouge_l(pairs).round(3).tolist()
    [1.0, 0.557, 0.0]
    """
    return np.array([_score(caption.split(" "), references) for caption, references in pairs], dtype=np.float64)


def common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """Measure the longest common subsequence, in words.

    A row of the usual table is the bits of one integer (Hyyrö 2004).

    >>> common_subsequence("a red dress with sleeves".split(), "a dress in red with long sleeves".split())
    4
    """
    positions: defaultdict[str, int] = defaultdict(int)  # word -> a bit for each position that has it in a
    for position, word in enumerate(a):
        positions[word] |= 1 << position
    whole = row = (1 << len(a)) - 1
    for word in b:
        matches = row & positions.get(word, 0)
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
