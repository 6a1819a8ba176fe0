"""The words of a caption: which attributes are right, invented or missed, and where they stand.

`data/scores/caption_words.parquet` has them, written by the stage caption_score. Right is what the garment's
description names too, invented what it does not name, missed what the description names and the caption does not.
A description need not name all that is true of a garment, so "invented" is said against the description.
"""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import polars as pl

from lookbook.reporting.page.marking import cut_at_spans
from lookbook.views.study import ATTRIBUTES, CAPTION_WORDS, VOCABULARY, Study
from pipeline.core.outputs import read_json

Kind = Literal["", "right", "invented", "other"]


class Segment(NamedTuple):
    """A part of a text, and what it is: plain, right, invented, or other than in the text beside it."""

    text: str
    kind: Kind = ""


@dataclass(frozen=True)
class CaptionWords:
    """What a caption says.

    Attributes:
        segments: The caption in parts.
        missed: Attributes of the description that the caption does not name, sorted.
        right: Attributes of both, sorted.
        invented: Attributes of the caption alone, sorted.
        category: The category that the classifier reads from the caption; empty where it is not known.
    """

    segments: list[Segment]
    missed: list[str] = field(default_factory=list)
    right: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    category: str = ""


class Said(NamedTuple):
    """Attributes of caption and description: of both, of the caption alone, of the description alone."""

    right: set[str]
    invented: set[str]
    missed: set[str]


def compare_attributes(entries: Iterable[Mapping[str, Any]] | None, reference: Iterable[str]) -> Said:
    """Compare the attributes that a caption names with those of the description.

    Args:
        entries: Of caption_words.parquet, each with its attribute.
        reference: The attributes of the description, in the vocabulary.
    """
    named, true = {str(entry["attribute"]) for entry in entries or []}, set(reference)
    return Said(true & named, named - true, true - named)


def mark_caption(text: str, found: Mapping[str, Any] | None, reference: Iterable[str] | None) -> CaptionWords:
    """Mark the attributes of a caption.

    >>> spans = [("red", 2, 5), ("hood", 7, 11)]
    >>> attributes = [dict(zip(("attribute", "start", "end"), span)) for span in spans]
    >>> words = mark_caption("a red, hood", {"attributes": attributes}, ["red", "dress"])
    >>> words.right, words.invented, words.missed
    (['red'], ['hood'], ['dress'])
    >>> [segment.text for segment in words.segments]
    ['a ', 'red', ', ', 'hood']

    Args:
        text: The caption.
        found: Its row of caption_words.parquet; None where there is none.
        reference: The attributes of the description, in the vocabulary; None where it has none.
    """
    if found is None or reference is None:
        return CaptionWords([Segment(text)], category=str((found or {}).get("predicted_category") or ""))
    entries = found["attributes"] or []
    said = compare_attributes(entries, reference)
    spans = sorted(
        (entry["start"], entry["end"], "right" if entry["attribute"] in said.right else "invented") for entry in entries
    )
    return CaptionWords(
        [Segment(*part) for part in cut_at_spans(text, spans)] or [Segment(text)],
        missed=sorted(said.missed),
        right=sorted(said.right),
        invented=sorted(said.invented),
        category=str(found.get("predicted_category") or ""),
    )


def compare_texts(a: str, b: str) -> tuple[list[Segment], list[Segment]]:
    """Cut two texts into what they share and what only one of them says, word by word.

    >>> compare_texts("a red dress", "a blue dress")[1]
    [Segment(text='a ', kind=''), Segment(text='blue', kind='other'), Segment(text=' dress', kind='')]
    """
    left, right = re.findall(r"\s+|\w+|[^\w\s]", a), re.findall(r"\s+|\w+|[^\w\s]", b)
    cut: tuple[list[Segment], list[Segment]] = [], []
    for tag, i, j, k, m in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        for side, words in ((0, left[i:j]), (1, right[k:m])):
            if words:
                cut[side].append(Segment("".join(words), "" if tag == "equal" else "other"))
    return cut


def read_words(study: Study, captioner: str, variant: str, items: Sequence[str] | None = None) -> pl.DataFrame | None:
    """Read what the captions of a set say; None where caption_score has not written it.

    Args:
        study: The study.
        captioner: The captioner.
        variant: pt or ft.
        items: Of these items alone.
    """
    if not study.has(CAPTION_WORDS):
        return None
    table = pl.scan_parquet(study.root / CAPTION_WORDS).filter(
        pl.col("captioner") == captioner, pl.col("variant") == variant
    )
    if items is not None:
        table = table.filter(pl.col("item_id").is_in(list(items)))
    return table.collect()


def read_references(study: Study, items: Sequence[str] | None = None) -> dict[str, list[str]]:
    """Read the attributes of descriptions that are in the vocabulary, by item; empty before caption_attributes."""
    if not (study.has(ATTRIBUTES) and study.has(VOCABULARY)):
        return {}
    known = set(list_vocabulary(study))
    table = pl.scan_parquet(study.root / ATTRIBUTES).select("item_id", "attributes")
    if items is not None:
        table = table.filter(pl.col("item_id").is_in(list(items)))
    rows = table.collect().iter_rows()
    return {item: [word for word in words or [] if word in known] for item, words in rows}


def list_vocabulary(study: Study) -> list[str]:
    """List the attributes that caption scores know; empty before caption_attributes."""
    vocabulary: Any = read_json(study.root / VOCABULARY) if study.has(VOCABULARY) else []
    return list(vocabulary)
