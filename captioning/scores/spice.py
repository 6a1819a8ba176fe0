"""SPICE (Anderson et al. 2016) by its own Java program: F of the objects, attributes and relations of a caption.

    SPICE = 2 · precision · recall / (precision + recall)
    precision = tuples of the caption that match one of the references / tuples of the caption
    recall = tuples of the references that are matched / tuples of all references together

Each distinct text is parsed once, and its parse is stored on disk (java/parse_cache.py). Texts go in as they are
written, not tokenized. The corpus score is the mean over the items. An empty caption has no tuple and scores 0.

Sub-scores are the same F over the tuples of one kind: object, attribute, relation, and among the attributes colour,
size and cardinality by the program's own word lists. An item whose references have no tuple of the kind has no such
score, and is left out of its mean, as in the program.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from captioning.scores import Java, Pairs, Parses
from captioning.scores.java.corenlp import program_version
from captioning.scores.java.parse_cache import ParseCache, Tuples
from pipeline.batches import make_batches
from pipeline.core.progress import track

METRICS: tuple[str, ...] = (
    "spice",
    *(f"spice_{kind}" for kind in ("object", "attribute", "relation", "color", "size", "cardinality")),
)
KINDS = dict(zip(METRICS, ("tuple", "object", "attribute", "relation", "colour", "size", "number"), strict=True))
PORTION = 64  # texts a call
ITEMS = 100  # items a call
WORD = re.compile(r"\w+|[^\w\s]")
LONG = 60  # words; the parser's memory grows with their square, so that longer texts are parsed one by one
ANNOTATION = "tokenize,ssplit,parse,lemma"  # changes the parses, as the version of a program does


def score(pairs: Pairs) -> np.ndarray:
    """Score each pair: (n, 7) in the order of METRICS, NaN where the references have no tuple of a kind."""
    return spice(pairs.written, pairs.java, pairs.parses)


def spice(pairs: Sequence[tuple[str, Sequence[str]]], java: Java, cache: Parses | None = None) -> np.ndarray:
    """Score each (caption, references): (n, 7) in the order of METRICS, NaN where the references have no tuple."""
    return f_scores(spice_counts(pairs, java, cache))


def spice_counts(pairs: Sequence[tuple[str, Sequence[str]]], java: Java, cache: Parses | None = None) -> np.ndarray:
    """Count the tuples that are right, wrong and missing in each (caption, references): (n, 7, 3)."""
    tuples = parse([text for caption, references in pairs for text in (caption, *references)], java, cache)
    rows: dict[tuple[str, ...], list[int]] = {}  # by references: their tuples are merged once for all their captions
    for row, (_, references) in enumerate(pairs):
        rows.setdefault(tuple(references), []).append(row)
    items = [
        (_join(references, tuples), [tuples[pairs[row][0]] for row in numbers]) for references, numbers in rows.items()
    ]
    rows_of_item = list(rows.values())
    counts = np.zeros((len(pairs), len(METRICS), 3))
    for start in range(0, len(items), ITEMS):
        portion = items[start : start + ITEMS]
        seconds = 1.0 * sum(len(captions) for _, captions in portion)
        answers = java.call("spice_counts", work_seconds=seconds, items=portion)
        for numbers, answer in zip(rows_of_item[start : start + ITEMS], answers, strict=True):
            counts[numbers] = answer
    return counts


def f_scores(counts: np.ndarray) -> np.ndarray:
    """Compute F of right, wrong and missing tuples: (…, 7, 3) -> (…, 7).

    A sub-score is NaN where the references have no tuple of its kind. SPICE itself is 0 there, as in the program.
    """
    right, wrong, missing = np.moveaxis(counts, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = right / (right + wrong), right / (right + missing)
        f = np.where(right > 0, 2.0 * (precision * recall) / (precision + recall), 0.0)
    f[..., 1:][(right + missing)[..., 1:] == 0] = np.nan
    return f


def spice_matches(
    pairs: Sequence[tuple[str, Sequence[str]]], java: Java, cache: Parses | None = None
) -> list[tuple[list[dict[str, object]], list[dict[str, object]]]]:
    """List the merged tuples of each (caption, references) and which match: of the caption, of the references."""
    tuples = parse([text for caption, references in pairs for text in (caption, *references)], java, cache)
    parses = [(_join(references, tuples), tuples[caption]) for caption, references in pairs]
    answers = java.call("spice_matches", work_seconds=1.0 * len(pairs), pairs=parses)
    return [(of_caption, of_references) for of_caption, of_references in answers]


def parse(texts: Sequence[str], java: Java, cache: Parses | None = None) -> dict[str, Tuples]:
    """Parse each distinct text to what SPICE reads: [object], [object, attribute] or [subject, object, relation]."""
    distinct = sorted(
        set(texts), key=lambda text: (count_words(text), text)
    )  # alike in length: no thread waits for another
    parses = cache.read(distinct) if cache else {}
    portions = _portions([text for text in distinct if text not in parses])
    for portion in track(portions, "parsing for SPICE", unit=f"{PORTION} texts"):
        seconds = sum(
            max(2.0, (count_words(text) / 10) ** 2) for text in portion
        )  # ten times what a slow machine takes
        new = dict(zip(portion, java.call("spice_tuples", work_seconds=seconds, texts=portion), strict=True))
        parses |= new
        if cache:
            cache.write(new)
    return parses


@contextmanager
def parse_cache(corenlp: Path) -> Iterator[ParseCache]:
    """Open the cache of what SPICE parses with these jars, to the end of the block."""
    with ParseCache(f"{ANNOTATION} {program_version(corenlp)}") as cache:
        yield cache


def count_words(text: str) -> int:
    """Count the words and signs of a text, about as the parser does.

    >>> count_words("a long-sleeved dress.")
    6
    """
    return len(WORD.findall(text))


def _portions(texts: Sequence[str]) -> list[list[str]]:
    short = make_batches([text for text in texts if count_words(text) <= LONG], PORTION)
    return short + [[text] for text in texts if count_words(text) > LONG]


def _join(references: Sequence[str], tuples: dict[str, Tuples]) -> Tuples:
    return [parts for text in references for parts in tuples[text]]
