"""METEOR 1.5 (Denkowski and Lavie 2014) by its own Java program, as pycocoevalcap 1.2 calls it (`-stdio -l en -norm`).

    METEOR = (1 - gamma · (chunks / matched words) ^ beta) · mean
    mean = 1 / ((1 - alpha) / precision + alpha / recall), of words weighted by the kind of match and of word

The program aligns a caption with each reference and answers with 23 statistics of the best. Its `EVAL` line, the
score of a corpus, is a function of their sums over the items, repeated here in numpy: no mean of item scores. An
empty caption matches nothing and scores 0.
"""

from collections.abc import Sequence

import numpy as np

from captioning.scores import Java, Pairs
from pipeline.core.progress import track

METRICS: tuple[str, ...] = ("meteor",)
PORTION = 500  # pairs a call
# 0 and 1: words of caption and reference; 2 and 3: function words of them; 4 to 19: matches of each module as content
# words (caption, reference) and function words (caption, reference); 20: chunks; 21 and 22: matched words.
STATISTICS: tuple[str, ...] = tuple(f"meteor_statistic_{index:02}" for index in range(23))
CHUNKS = 20
# The parameters for English and the task "rank", which `-l en` stands for.
ALPHA = 0.85
BETA = 0.2
GAMMA = 0.6
DELTA = 0.75
WEIGHTS = np.array([1.0, 0.6, 0.8, 0.6])  # of the modules exact, stem, synonym, paraphrase


def count(pairs: Pairs) -> np.ndarray:
    """Count the statistics of each pair: (n, 23) in the order of STATISTICS."""
    return meteor_statistics(pairs.tokenized, pairs.java)


def score_statistics(statistics: np.ndarray) -> np.ndarray:
    """Score statistics or their sums: (…, 23) -> (…, 1)."""
    return meteor_from_statistics(statistics)[..., None]


def meteor_statistics(pairs: Sequence[tuple[str, Sequence[str]]], java: Java) -> np.ndarray:
    """Count the statistics of each (caption, references), tokenized: (n, 23), such that they can be summed."""
    cleaned = [(_clean(caption), _split(references)) for caption, references in pairs]
    java.call("load_meteor", texts=sorted({text for caption, references in cleaned for text in (caption, *references)}))
    rows: list[list[float]] = []
    for start in track(range(0, len(cleaned), PORTION), "METEOR", unit=f"{PORTION} captions"):
        portion = cleaned[start : start + PORTION]
        seconds = 0.1 * sum(1 + len(texts) for _, texts in portion)  # a hundred times what it takes
        lines = java.call("meteor", work_seconds=seconds, pairs=portion)
        rows += [[float(word) for word in line.split()] for line in lines]
    return clear_whole_matches(np.array(rows, dtype=np.float64).reshape(len(rows), len(STATISTICS)))


def clear_whole_matches(statistics: np.ndarray) -> np.ndarray:
    """Set the chunks to 0 where caption and reference match whole in one chunk, which METEOR does not add up.

    Args:
        statistics: (n, 23).
    """
    # columns: content words of caption and reference, function words of caption and reference
    matches = statistics[:, 4:20].reshape(-1, 4, 4).sum(axis=1)
    whole = (
        (matches[:, 0] + matches[:, 2] == statistics[:, 0])
        & (matches[:, 1] + matches[:, 3] == statistics[:, 1])
        & (statistics[:, CHUNKS] == 1)
    )
    statistics = statistics.copy()
    statistics[whole, CHUNKS] = 0
    return statistics


def meteor_from_statistics(statistics: np.ndarray) -> np.ndarray:
    """Compute METEOR of each row of statistics: (…, 23) -> (…).

    A row is the statistics of an item, or their sums over many items, which give the corpus score of these: the last
    line that the program answers to `EVAL`.
    """
    statistics = np.asarray(statistics, dtype=np.float64)
    matches = statistics[..., 4:20].reshape(*statistics.shape[:-1], 4, 4)  # (…, module, side and kind)
    weighted = WEIGHTS @ matches  # (…, 4)
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
    """Split references at |||, as the program does when it reads its line."""
    return [part.strip() for reference in references for part in reference.split("|||")]
