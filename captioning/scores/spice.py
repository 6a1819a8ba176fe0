"""SPICE (Anderson et al. 2016) by its own Java program: F of the objects, attributes and relations of a caption.

Each distinct text is parsed once. Texts go in as they are written, not tokenized. The corpus score is the mean over the
items. An empty caption says nothing and scores 0.
"""

from collections.abc import Sequence

import numpy as np

from captioning.scores.jvm import Jvm
from pipeline.progress import track

PORTION = 64  # texts a call
PAIRS = 500  # pairs a call
Tuples = list[list[str]]


def spice(pairs: Sequence[tuple[str, Sequence[str]]], jvm: Jvm) -> np.ndarray:
    """F of each (caption, references): (n,)."""
    tuples = parse([text for caption, references in pairs for text in (caption, *references)], jvm)
    told = [
        (tuples[caption], [words for text in references for words in tuples[text]]) for caption, references in pairs
    ]
    scores: list[float] = []
    for start in range(0, len(told), PAIRS):
        scores += jvm.call("spice_scores", pairs=told[start : start + PAIRS])
    return np.array(scores, dtype=np.float64)


def parse(texts: Sequence[str], jvm: Jvm) -> dict[str, Tuples]:
    """What SPICE reads from each distinct text: [object], [object, attribute] or [subject, object, relation]."""
    distinct = sorted(set(texts), key=lambda text: (len(text), text))  # alike in length: no thread waits for another
    found: dict[str, Tuples] = {}
    for start in track(range(0, len(distinct), PORTION), "parsing for SPICE", unit=f"{PORTION} texts"):
        portion = distinct[start : start + PORTION]
        found |= zip(portion, jvm.call("spice_tuples", texts=portion), strict=True)
    return found
