"""BLEU-1..4 (Papineni et al. 2002), equal to pycocoevalcap 1.2: closest reference length, no smoothing.

Corpus BLEU is a function of ten sums over the items, so a bootstrap needs only the sums of each draw. An empty caption
has guessed nothing: its own score is 0 (1e-10, by the guards), and in the corpus it only shortens the total length.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from captioning.scores.ngrams import ORDERS, Ngram, count_ngrams

STATISTICS = (
    *(f"bleu_guess_{n}" for n in ORDERS),
    *(f"bleu_correct_{n}" for n in ORDERS),
    "bleu_length",
    "bleu_reference_length",
)
SMALL, TINY = 1e-9, 1e-15  # pycocoevalcap's guards against division by zero


def bleu_statistics(pairs: Sequence[tuple[str, Sequence[str]]]) -> np.ndarray:
    """The ten counts of each (caption, references), tokenized: (n, 10) in the order of STATISTICS.

    References that several captions share are counted once.
    """
    counted: dict[tuple[str, ...], tuple[Counter[Ngram], list[int]]] = {}
    rows = np.zeros((len(pairs), len(STATISTICS)))
    for row, (caption, references) in enumerate(pairs):
        key = tuple(references)
        if key not in counted:
            counted[key] = (_most(key), [len(text.split()) for text in key])
        rows[row] = _counts(caption, *counted[key])
    return rows


def bleu_from_statistics(statistics: np.ndarray) -> np.ndarray:
    """BLEU-1..4 of each row: (..., 10) -> (..., 4).

    A row is the counts of one item, or the sums over many: then it is the corpus score of these. Equals
    `BleuScorer.compute_score(option="closest")`.
    """
    statistics = np.asarray(statistics, dtype=np.float64)
    guess, correct = statistics[..., 0:4], statistics[..., 4:8]  # (..., 4) each
    length, reference = statistics[..., 8:9], statistics[..., 9:10]  # (..., 1) each
    precision = np.cumprod((correct + TINY) / (guess + SMALL), axis=-1)
    ratio = (length + TINY) / (reference + SMALL)
    with np.errstate(over="ignore"):  # an empty caption: exp(-1e15) is 0
        brevity = np.where(ratio < 1, np.exp(np.minimum(0.0, 1 - 1 / ratio)), 1.0)
    return precision ** (1 / np.array(ORDERS)) * brevity


def _most(references: Sequence[str]) -> Counter[Ngram]:
    """How often each n-gram occurs in the reference that has it most often."""
    most: Counter[Ngram] = Counter()
    for text in references:
        most |= count_ngrams(text)
    return most


def _counts(caption: str, most: Counter[Ngram], lengths: list[int]) -> list[int]:
    length, correct = len(caption.split()), [0] * len(ORDERS)
    for ngram, count in count_ngrams(caption).items():
        if ngram in most:
            correct[len(ngram) - 1] += min(count, most[ngram])
    closest = min(lengths, key=lambda reference: (abs(reference - length), reference))
    return [*(max(0, length - n + 1) for n in ORDERS), *correct, length, closest]
