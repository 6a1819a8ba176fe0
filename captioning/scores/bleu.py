"""BLEU-1..4 (Papineni et al. 2002), equal to pycocoevalcap 1.2: closest reference length, no smoothing.

    BLEU-n = brevity · (p_1 · … · p_n) ^ (1 / n)
    p_k = k-grams of the captions that a reference has too / k-grams of the captions
    brevity = exp(min(0, 1 - words of the references / words of the captions))

A k-gram counts at most as often as the reference that has it most often. Of several references the one whose length is
closest to the caption's counts, the shorter one on a tie. Numerators and denominators are sums over the items: a corpus
score is no mean of item scores, and a bootstrap needs only the sums of each draw. An empty caption scores 0 (1e-10, by
the guards against division by zero), and in the corpus it only shortens the captions.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from captioning.scores import Pairs
from captioning.scores.ngrams import ORDERS, Ngram, count_ngrams

METRICS: tuple[str, ...] = tuple(f"bleu_{n}" for n in ORDERS)
STATISTICS: tuple[str, ...] = (
    *(f"bleu_guess_{n}" for n in ORDERS),
    *(f"bleu_correct_{n}" for n in ORDERS),
    "bleu_length",
    "bleu_reference_length",
)
SMALL = 1e-9  # pycocoevalcap's guards against division by zero: of denominators
TINY = 1e-15  # and of numerators


def count(pairs: Pairs) -> np.ndarray:
    """Count the statistics of each pair: (n, 10) in the order of STATISTICS."""
    return bleu_statistics(pairs.tokenized)


def score_statistics(statistics: np.ndarray) -> np.ndarray:
    """Score statistics or their sums: (…, 10) -> (…, 4) in the order of METRICS."""
    return bleu_from_statistics(statistics)


def bleu_statistics(pairs: Sequence[tuple[str, Sequence[str]]]) -> np.ndarray:
    """Count the ten statistics of each (caption, references), tokenized: (n, 10) in the order of STATISTICS.

    References that several captions share are counted once.

    >>> bleu_statistics([("a red dress", ["a red coat"])]).astype(int).tolist()
    [[3, 2, 1, 0, 2, 1, 0, 0, 3, 3]]
    """
    counted: dict[tuple[str, ...], tuple[Counter[Ngram], list[int]]] = {}
    rows = np.zeros((len(pairs), len(STATISTICS)))
    for row, (caption, references) in enumerate(pairs):
        key = tuple(references)
        if key not in counted:
            counted[key] = (_count_most(key), [len(text.split()) for text in key])
        rows[row] = _count(caption, *counted[key])
    return rows


def bleu_from_statistics(statistics: np.ndarray) -> np.ndarray:
    """Compute BLEU-1..4 of each row: (…, 10) -> (…, 4).

    A row is the statistics of an item, or their sums over many items, which give the corpus score of these. Equals
    `BleuScorer.compute_score(option="closest")` of pycocoevalcap.

    >>> bleu_from_statistics(bleu_statistics([("a red dress", ["a red coat"])])).round(3).tolist()
    [[0.667, 0.577, 0.0, 0.0]]
    """
    statistics = np.asarray(statistics, dtype=np.float64)
    guess = statistics[..., 0:4]  # (..., 4)
    correct = statistics[..., 4:8]  # (..., 4)
    length, reference = statistics[..., 8:9], statistics[..., 9:10]  # (..., 1) each
    precision = np.cumprod((correct + TINY) / (guess + SMALL), axis=-1)
    ratio = (length + TINY) / (reference + SMALL)
    with np.errstate(over="ignore"):  # an empty caption: exp(-1e15) is 0
        brevity = np.where(ratio < 1, np.exp(np.minimum(0.0, 1 - 1 / ratio)), 1.0)
    return precision ** (1 / np.array(ORDERS)) * brevity


def _count_most(references: Sequence[str]) -> Counter[Ngram]:
    """Count each n-gram in the reference that has it most often."""
    most: Counter[Ngram] = Counter()
    for text in references:
        most |= count_ngrams(text)
    return most


def _count(caption: str, most: Counter[Ngram], lengths: list[int]) -> list[int]:
    length, correct = len(caption.split()), [0] * len(ORDERS)
    for ngram, times in count_ngrams(caption).items():
        if ngram in most:
            correct[len(ngram) - 1] += min(times, most[ngram])
    closest = min(lengths, key=lambda reference: (abs(reference - length), reference))
    return [*(max(0, length - n + 1) for n in ORDERS), *correct, length, closest]
