"""BLEU-1..4 (Papineni et al. 2002), equal to pycocoevalcap 1.2: closest reference length, no smoothing.

Corpus BLEU is a function of ten sums over the items, so a bootstrap needs only the sums of each draw. An empty caption
has guessed nothing: its own score is 0 (1e-10, by the guards), and in the corpus it only shortens the total length.
"""

from collections.abc import Sequence

import numpy as np
from pycocoevalcap.bleu.bleu_scorer import cook_refs, cook_test

ORDERS = (1, 2, 3, 4)
STATISTICS = (
    *(f"bleu_guess_{n}" for n in ORDERS),
    *(f"bleu_correct_{n}" for n in ORDERS),
    "bleu_length",
    "bleu_reference_length",
)
SMALL, TINY = 1e-9, 1e-15  # pycocoevalcap's guards against division by zero


def bleu_statistics(pairs: Sequence[tuple[str, Sequence[str]]]) -> np.ndarray:
    """The ten counts of each (caption, references), tokenized: (n, 10) in the order of STATISTICS."""
    cooked: dict[tuple[str, ...], tuple] = {}
    rows = np.zeros((len(pairs), len(STATISTICS)))
    for row, (caption, references) in enumerate(pairs):
        key = tuple(references)
        if key not in cooked:
            cooked[key] = cook_refs(references)
        counts = cook_test(caption, cooked[key], eff="closest")
        rows[row] = [*counts["guess"], *counts["correct"], counts["testlen"], counts["reflen"]]
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
