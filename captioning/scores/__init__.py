"""Caption scores, a file each, and the interfaces that these files keep.

A reference-based score compares a caption with the reference descriptions of its item: bleu, meteor, rouge_l, cider,
spice. A content-based score compares it with what is known of the garment: attributes, core, accuracy, clip_score; and
bert_score, which reads the reference by a model. To add a score, write its file here and name it in the table of
reference_based.py or of content_based.py; mypy checks the file against the interface of its table.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class Java(Protocol):
    """The process of the Java programs, captioning.scores.java.process.Jvm."""

    def call(self, name: str, work_seconds: float = 0.0, **arguments: Any) -> Any:
        """Call a function of the process by its name, with arguments as JSON takes them, and return its answer."""


class Parses(Protocol):
    """The texts that SPICE has parsed before, captioning.scores.java.parse_cache.ParseCache."""

    def read(self, texts: Sequence[str]) -> dict[str, list[list[str]]]:
        """Read the parses of these texts, as far as they are stored."""

    def write(self, parses: dict[str, list[list[str]]]) -> None:
        """Store parses, text -> tuples."""


@dataclass(frozen=True)
class Pairs:
    """Captions and the references of their items, as reference-based scores read them.

    Attributes:
        items: the item of each caption (n).
        captions: the captions as they are written (n).
        references: item -> its references as they are written, for every item of the corpus.
        tokens: caption or reference -> its tokens, joined by spaces.
        java: the Java programs.
        parses: the stored parses of SPICE; None where nothing is stored.
    """

    items: Sequence[str]
    captions: Sequence[str]
    references: Mapping[str, Sequence[str]]
    tokens: Mapping[str, str]
    java: Java
    parses: Parses | None = None

    @cached_property
    def written(self) -> list[tuple[str, Sequence[str]]]:
        """Each caption with the references of its item: n pairs of texts as they are written."""
        return [(caption, self.references[item]) for item, caption in zip(self.items, self.captions, strict=True)]

    @cached_property
    def tokenized(self) -> list[tuple[str, Sequence[str]]]:
        """Each caption with the references of its item: n pairs of tokenized texts."""
        corpus = self.tokenized_references
        return [(self.tokens[caption], corpus[item]) for item, caption in zip(self.items, self.captions, strict=True)]

    @cached_property
    def tokenized_references(self) -> dict[str, list[str]]:
        """The tokenized references of every item of the corpus: item -> texts."""
        return {item: [self.tokens[text] for text in texts] for item, texts in self.references.items()}


class MeanScore(Protocol):
    """A reference-based score whose value for a set of captions is the mean over its items: rouge_l, cider, spice.

    Attributes:
        METRICS: the names of its columns.
    """

    METRICS: tuple[str, ...]

    def score(self, pairs: Pairs) -> "np.ndarray":
        """Score each pair: (n, len(METRICS)) float64, NaN where a pair has no value and is left out of the mean."""


class SumScore(Protocol):
    """A reference-based score whose value for a set is a function of counts summed over its items: bleu, meteor.

    Attributes:
        METRICS: the names of its columns.
        STATISTICS: the names of the counts.
    """

    METRICS: tuple[str, ...]
    STATISTICS: tuple[str, ...]

    def count(self, pairs: Pairs) -> "np.ndarray":
        """Count the statistics of each pair: (n, len(STATISTICS)) float64."""

    def score_statistics(self, statistics: "np.ndarray") -> "np.ndarray":
        """Score the statistics of an item, or their sums over many: (…, len(STATISTICS)) -> (…, len(METRICS))."""


@dataclass(frozen=True)
class Garments:
    """Captions and what is known of their garments, as content-based scores read them; a row per caption (n).

    Attributes:
        items: the item of each caption.
        captions: the captions.
        selected: the attributes that the tagger finds in each caption.
        attributes: the attributes of each item's reference.
        vocabulary: the attributes that count.
        categories: the true category of each item.
        predicted: the category that the classifier reads from each caption.
        nearest: the category whose name is nearest to each caption.
        truth: columns type, colour, pattern: the true values of each item; None where they are unknown.
        references: item -> its references.
        images: the folder of packed pictures.
        clip_model: the folder of the CLIP that reads pictures and captions; None where no picture is scored.
        bert_model: the folder of the BERT that reads captions and references; None where it is left out.
        bert_layer: after how many of its layers tokens are compared.
        device: where models run, `cpu` or `cuda`.
        work: a folder for parts that are finished before the whole is.
    """

    items: Sequence[str]
    captions: Sequence[str]
    selected: Sequence[Sequence[str]]
    attributes: Sequence[Sequence[str]]
    vocabulary: Sequence[str]
    categories: Sequence[str]
    predicted: Sequence[str]
    nearest: Sequence[str]
    truth: "pd.DataFrame | None"
    references: Mapping[str, Sequence[str]]
    images: Path
    clip_model: Path | None
    bert_model: Path | None
    bert_layer: int
    device: str
    work: Path | None


class ContentScore(Protocol):
    """A content-based score: attributes, visible, core, accuracy, clip_score, bert_score.

    Attributes:
        METRICS: the names of its columns.
        LEFT_OUT: metric -> why a caption can be without a value.
    """

    METRICS: tuple[str, ...]
    LEFT_OUT: Mapping[str, str]

    def score(self, garments: Garments) -> "pd.DataFrame | None":
        """Score each caption: a row each, columns METRICS, float64; None where the study lacks what the score needs."""
