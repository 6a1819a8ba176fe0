"""METEOR 1.5 (Denkowski and Lavie 2014) by its own Java program, as pycocoevalcap 1.2 calls it (`-stdio -l en -norm`).

The program aligns a caption with each reference and answers with 23 statistics of the best. Its `EVAL` line, the score
of a corpus, is a function of their sums, repeated here in numpy. An empty caption matches nothing and scores 0.
"""

from collections.abc import Sequence

import numpy as np

from captioning.scores.java.process import Jvm
from pipeline.core.progress import track

PORTION = 500  # pairs a call
# 0 and 1: words of caption and reference; 2 and 3: function words of them; 4 to 19: matches of each module as content
# words (caption, reference) and function words (caption, reference); 20: chunks; 21 and 22: matched words.
STATISTICS = tuple(f"meteor_statistic_{place:02}" for place in range(23))
CHUNKS = 20
# English, task "rank" (what `-l en` means); modules exact, stem, synonym, paraphrase
ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75
WEIGHTS = np.array([1.0, 0.6, 0.8, 0.6])


def meteor_statistics(pairs: Sequence[tuple[str, Sequence[str]]], jvm: Jvm) -> np.ndarray:
    """The statistics of each (caption, references), tokenized: (n, 23), made so that they can be summed."""
    cleaned = [(_clean(caption), _split(references)) for caption, references in pairs]
    jvm.call("load_meteor", texts=sorted({text for caption, given in cleaned for text in (caption, *given)}))
    rows: list[list[float]] = []
    for start in track(range(0, len(cleaned), PORTION), "METEOR", unit=f"{PORTION} captions"):
        portion = cleaned[start : start + PORTION]
        seconds = 0.1 * sum(1 + len(texts) for _, texts in portion)  # a hundred times what it takes
        lines = jvm.call("meteor", work_seconds=seconds, pairs=portion)
        rows += [[float(word) for word in line.split()] for line in lines]
    return additive(np.array(rows, dtype=np.float64).reshape(len(rows), len(STATISTICS)))


def additive(statistics: np.ndarray) -> np.ndarray:
    """The statistics with no chunk where caption and reference match whole in one: METEOR does not add that one up."""
    matches = (
        statistics[:, 4:20].reshape(-1, 4, 4).sum(axis=1)
    )  # caption content, reference content, function, function
    whole = (
        (matches[:, 0] + matches[:, 2] == statistics[:, 0])
        & (matches[:, 1] + matches[:, 3] == statistics[:, 1])
        & (statistics[:, CHUNKS] == 1)
    )
    statistics = statistics.copy()
    statistics[whole, CHUNKS] = 0
    return statistics


def meteor_from_statistics(statistics: np.ndarray) -> np.ndarray:
    """METEOR of each row of additive statistics: (..., 23) -> (...).

    A row is one item's, or the sums over many: then it is the corpus score, equal to the program's last line for `EVAL`.
    """
    statistics = np.asarray(statistics, dtype=np.float64)
    matches = statistics[..., 4:20].reshape(*statistics.shape[:-1], 4, 4)  # (..., module, side and kind)
    weighted = WEIGHTS @ matches  # (..., 4)
    content, function = weighted[..., 0:2], weighted[..., 2:4]  # of caption and reference
    words, function_words = statistics[..., 0:2], statistics[..., 2:4]
    matched = DELTA * content + (1 - DELTA) * function
    total = DELTA * (words - function_words) + (1 - DELTA) * function_words
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = np.moveaxis(matched / total, -1, 0)
        mean = 1 / ((1 - ALPHA) / precision + ALPHA / recall)
        fragments = statistics[..., CHUNKS] / ((statistics[..., 21] + statistics[..., 22]) / 2)
        score = mean * (1 - GAMMA * fragments**BETA)
    return np.maximum(np.nan_to_num(score, nan=0.0), 0.0)


def _clean(caption: str) -> str:
    return caption.replace("|||", "").replace("  ", " ").strip()


def _split(references: Sequence[str]) -> list[str]:
    """As the program reads its line: a reference with ||| in it is two."""
    return [part.strip() for reference in references for part in reference.split("|||")]
