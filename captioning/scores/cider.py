"""CIDEr-D (Vedantam et al. 2015) as pycocoevalcap 1.2 computes it: n-grams of one to four words, sigma 6, times 10.

    CIDEr-D = 10 · mean over n = 1..4 and over the references of
              exp(-(length difference)² / (2 · 6²)) · min(caption, reference) · reference / (|caption| · |reference|)

where a text is its vector of tf-idf weights: how often it has an n-gram, times the logarithm of the number of items
divided by the number of items whose references have the n-gram. These document frequencies come from the references of
all items of the evaluated split, also of those without a caption in a set, so a score belongs to its test set. The
corpus score is the mean over the items. An empty caption has no n-gram and scores 0.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from captioning.scores import Pairs
from captioning.scores.ngrams import ORDERS, Ngram, count_ngrams

METRICS: tuple[str, ...] = ("cider",)
SIGMA = 6.0


def score(pairs: Pairs) -> np.ndarray:
    """Score each pair against the references of its item, among those of all items: (n, 1)."""
    captions = [(item, pairs.tokens[caption]) for item, caption in zip(pairs.items, pairs.captions, strict=True)]
    return Cider(pairs.tokenized_references).score(captions)[:, None]


class Vector(NamedTuple):
    """The tf-idf weights of a text, by n-gram length."""

    weights: list[dict[Ngram, float]]
    norms: list[float]
    length: int  # in pairs of words, as the original counts it


class Cider:
    """Scores captions against the references of a corpus, whose n-grams are counted once.

    Args:
        references: the tokenized references of every item of the corpus.
    """

    def __init__(self, references: Mapping[str, Sequence[str]]) -> None:
        counts = {item: [count_ngrams(text) for text in texts] for item, texts in references.items()}
        frequency: Counter[Ngram] = Counter()
        for texts in counts.values():
            frequency.update({ngram for text in texts for ngram in text})
        self._new = math.log(len(references)) if references else 0.0  # the weight of an n-gram that no reference has
        self._rarity = {ngram: self._new - math.log(count) for ngram, count in frequency.items()}
        self._references = {item: [self._vector(text) for text in texts] for item, texts in counts.items()}

    def score(self, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
        """Score each (item, tokenized caption): (n,)."""
        return np.array([self._score(item, caption) for item, caption in pairs], dtype=np.float64)

    def _score(self, item: str, caption: str) -> float:
        vector = self._vector(count_ngrams(caption))
        references = self._references[item]
        return 10.0 * sum(_similarity(vector, reference) for reference in references) / len(references) / len(ORDERS)

    def _vector(self, counts: Mapping[Ngram, int]) -> Vector:
        weights: list[dict[Ngram, float]] = [{} for _ in ORDERS]
        for ngram, count in counts.items():
            weights[len(ngram) - 1][ngram] = count * self._rarity.get(ngram, self._new)
        norms = [math.sqrt(sum(weight * weight for weight in order.values())) for order in weights]
        return Vector(weights, norms, sum(count for ngram, count in counts.items() if len(ngram) == 2))


def _similarity(caption: Vector, reference: Vector) -> float:
    """Sum the clipped cosines over the n-gram lengths, discounted for a different length."""
    total = 0.0
    for mine, theirs, norm, other in zip(
        caption.weights, reference.weights, caption.norms, reference.norms, strict=True
    ):
        shared = sum(min(weight, theirs[ngram]) * theirs[ngram] for ngram, weight in mine.items() if ngram in theirs)
        total += shared / (norm * other) if norm and other else shared
    return total * math.exp(-((caption.length - reference.length) ** 2) / (2 * SIGMA**2))
