"""SPICE (Anderson et al. 2016) by its own Java program: F of the objects, attributes and relations of a caption.

Each distinct text is parsed once, and its parse is kept on disk (parse_cache.py). Texts go in as they are written, not
tokenized. The corpus score is the mean over the items. An empty caption says nothing and scores 0.

Sub-scores are the same F over the tuples of one kind: object, attribute, relation, and among the attributes colour, size
and cardinality by the program's own word lists. An item whose references have no tuple of the kind has no such score, and
is left out of its mean, as in the program.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from captioning.scores.java.corenlp import program_version
from captioning.scores.java.parse_cache import ParseCache, Tuples
from captioning.scores.java.process import Jvm
from pipeline.batches import make_batches
from pipeline.core.progress import track

METRICS = ("spice", *(f"spice_{kind}" for kind in ("object", "attribute", "relation", "color", "size", "cardinality")))
KINDS = dict(zip(METRICS, ("tuple", "object", "attribute", "relation", "colour", "size", "number"), strict=True))
PORTION = 64  # texts a call
ITEMS = 100  # items a call
WORD = re.compile(r"\w+|[^\w\s]")
LONG = 60  # words; the parser's memory grows with their square, so that longer texts are parsed one by one
ANNOTATION = "tokenize,ssplit,parse,lemma"  # changes the parses, as the version of a program does


def spice(pairs: Sequence[tuple[str, Sequence[str]]], jvm: Jvm, cache: ParseCache | None = None) -> np.ndarray:
    """The scores of each (caption, references): (n, 7) in the order of METRICS, NaN where there is none."""
    return f_scores(spice_counts(pairs, jvm, cache))


def spice_counts(pairs: Sequence[tuple[str, Sequence[str]]], jvm: Jvm, cache: ParseCache | None = None) -> np.ndarray:
    """Tuples that are right, wrong and missing in each (caption, references): (n, 7, 3)."""
    tuples = parse([text for caption, references in pairs for text in (caption, *references)], jvm, cache)
    rows: dict[tuple[str, ...], list[int]] = {}  # by references: their tuples are merged once for all their captions
    for row, (_, references) in enumerate(pairs):
        rows.setdefault(tuple(references), []).append(row)
    items = [
        (_joined(references, tuples), [tuples[pairs[row][0]] for row in found]) for references, found in rows.items()
    ]
    counts = np.zeros((len(pairs), len(METRICS), 3))
    places = list(rows.values())
    for start in range(0, len(items), ITEMS):
        portion = items[start : start + ITEMS]
        said = jvm.call("spice_counts", work_seconds=1.0 * sum(len(captions) for _, captions in portion), items=portion)
        for found, one in zip(places[start : start + ITEMS], said, strict=True):
            counts[found] = one
    return counts


def f_scores(counts: np.ndarray) -> np.ndarray:
    """F of right, wrong and missing tuples: (..., 7, 3) -> (..., 7); NaN where the references have no tuple of a kind.

    SPICE itself is 0 there, as in the program.
    """
    right, wrong, missing = np.moveaxis(counts, -1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        precision, recall = right / (right + wrong), right / (right + missing)
        f = np.where(right > 0, 2.0 * (precision * recall) / (precision + recall), 0.0)
    f[..., 1:][(right + missing)[..., 1:] == 0] = np.nan
    return f


def spice_matches(
    pairs: Sequence[tuple[str, Sequence[str]]], jvm: Jvm, cache: ParseCache | None = None
) -> list[tuple[list[dict[str, Any]], list[dict[str, Any]]]]:
    """The merged tuples of each (caption, references), and which of them match: of the caption, of the references."""
    tuples = parse([text for caption, references in pairs for text in (caption, *references)], jvm, cache)
    asked = [(_joined(references, tuples), tuples[caption]) for caption, references in pairs]
    return [(said, wanted) for said, wanted in jvm.call("spice_matches", work_seconds=1.0 * len(pairs), pairs=asked)]


def parse(texts: Sequence[str], jvm: Jvm, cache: ParseCache | None = None) -> dict[str, Tuples]:
    """What SPICE reads from each distinct text: [object], [object, attribute] or [subject, object, relation]."""
    distinct = sorted(set(texts), key=lambda text: (words(text), text))  # alike in length: no thread waits for another
    found = cache.read(distinct) if cache else {}
    portions = _portions([text for text in distinct if text not in found])
    for portion in track(portions, "parsing for SPICE", unit=f"{PORTION} texts"):
        seconds = sum(max(2.0, (words(text) / 10) ** 2) for text in portion)  # ten times what a slow machine takes
        parsed = dict(zip(portion, jvm.call("spice_tuples", work_seconds=seconds, texts=portion), strict=True))
        found |= parsed
        if cache:
            cache.write(parsed)
    return found


@contextmanager
def parse_cache(corenlp: Path) -> Iterator[ParseCache]:
    """The cache of what SPICE parses with these jars, to the end of the block."""
    with ParseCache(f"{ANNOTATION} {program_version(corenlp)}") as cache:
        yield cache


def words(text: str) -> int:
    """How many words and signs a text has, about as the parser counts them."""
    return len(WORD.findall(text))


def _portions(texts: Sequence[str]) -> list[list[str]]:
    short = make_batches([text for text in texts if words(text) <= LONG], PORTION)
    return short + [[text] for text in texts if words(text) > LONG]


def _joined(references: Sequence[str], tuples: dict[str, Tuples]) -> Tuples:
    return [words for text in references for words in tuples[text]]
