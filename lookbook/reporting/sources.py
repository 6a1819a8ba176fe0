"""What the sources of the arrivals' words are called in sentences and tables."""

import re
from collections.abc import Iterable

PHRASES = {
    "reference": "the shop's own descriptions",
    "second": "second true descriptions",
    "none": "no words",
    "table": "sentences made of the shop's table",
    "nearest": "the words of the garment with the nearest picture",
    "shuffled": "fine-tuned captions of other garments",
    "pictures": "pictures alone",
    "mean": "the mean text vector",
    "zeros": "zeros for a text vector",
    "ridge": "text vectors predicted from pictures by ridge regression",
    "neighbours": "the mean text vector of the nearest pictures",
}
LABELS = {
    "reference": "the shop's own description",
    "second": "second true description",
    "none": "no words",
    "table": "the shop's table as a sentence",
    "nearest": "words of the nearest picture's garment",
    "shuffled": "FT caption of another garment",
    "pictures": "pictures alone",
    "mean": "no words: mean text vector",
    "zeros": "no words: zeros",
    "ridge": "no words: ridge regression from pictures",
    "neighbours": "no words: mean of the nearest pictures",
}
VARIANTS = {"ft": ("fine-tuned captions", "FT caption"), "pt": ("pre-trained captions", "PT caption")}
AFTER_EPOCH = re.compile(r"(.+)-ft-epoch-([0-9]+)")
UNRANKED = ("second", "reference", "none", "shuffled", "replaced")  # ceilings, the floor, controls
ORDER = (
    "second",
    "reference",
    "ft",
    "ft-epoch",
    "pt",
    "ridge",
    "neighbours",
    "nearest",
    "table",
    "pictures",
    "mean",
    "zeros",
    "none",
)


def describe_source(source: str) -> str:
    """Return a source as a plural noun phrase for a sentence.

    >>> describe_source("tiny-llava-ft"), describe_source("ridge-resnet50"), describe_source("replaced-25")
    ... # doctest: +NORMALIZE_WHITESPACE
    ('fine-tuned captions by tiny-llava', 'text vectors predicted from pictures by ridge regression (resnet50)',
     'own descriptions with 25 % of their words replaced')
    """
    kind, detail = split_source(source)
    if kind in VARIANTS:
        return f"{VARIANTS[kind][0]} by {detail}"
    if kind == "ft-epoch":
        captioner, _, epoch = detail.rpartition(" ")
        return f"captions by {captioner} after epoch {epoch}"
    if kind == "replaced":
        return f"own descriptions with {detail} % of their words replaced"
    return PHRASES.get(kind, kind) + (f" ({detail})" if detail else "")


def label_source(source: str) -> str:
    """Return a source as a row of a table is labelled.

    >>> label_source("tiny-llava-ft"), label_source("none"), label_source("replaced-25")
    ('FT caption, tiny-llava', 'no words', 'own words, 25 % replaced')
    >>> label_source("tiny-llava-ft-epoch-2")
    'FT caption after epoch 2, tiny-llava'
    """
    kind, detail = split_source(source)
    if kind in VARIANTS:
        return f"{VARIANTS[kind][1]}, {detail}"
    if kind == "ft-epoch":
        captioner, _, epoch = detail.rpartition(" ")
        return f"FT caption after epoch {epoch}, {captioner}"
    if kind == "replaced":
        return f"own words, {detail} % replaced"
    return LABELS.get(kind, kind) + (f", {detail}" if detail else "")


def shorten_source(source: str, writer: str) -> str:
    """Return a source as a figure labels it: its name, and FT or PT for the captions of the writer.

    >>> [shorten_source(source, "tiny-llava") for source in ("tiny-llava-ft", "other-pt", "ridge-resnet50")]
    ['FT', 'other-pt', 'ridge-resnet50']
    """
    variant, captioner = split_source(source)
    return variant.upper() if variant in VARIANTS and captioner == writer else source


def split_source(source: str) -> tuple[str, str]:
    """Return the kind of a source, and what it was made by or from: a captioner, picture features, a percentage.

    Captions after an epoch are made by a captioner and the number of the epoch.

    >>> split_source("tiny-llava-ft"), split_source("ridge-blip2-visual"), split_source("none")
    (('ft', 'tiny-llava'), ('ridge', 'blip2-visual'), ('none', ''))
    """
    after_epoch = AFTER_EPOCH.fullmatch(source)
    if after_epoch:
        return "ft-epoch", f"{after_epoch[1]} {after_epoch[2]}"
    before, _, variant = source.rpartition("-")
    if before and variant in VARIANTS:
        return variant, before
    kind, _, detail = source.partition("-")
    return (kind, detail) if detail and kind in ("replaced", "ridge", "neighbours", "pictures") else (source, "")


def is_ranked(source: str) -> bool:
    """Tell whether a source may be the best of a table: captions and what takes their place, not what frames them.

    >>> [is_ranked(source) for source in ("tiny-llava-ft", "ridge-resnet50", "pictures", "second", "replaced-25")]
    [True, True, True, False, False]
    """
    return split_source(source)[0] not in UNRANKED


def sort_sources(sources: Iterable[str]) -> list[str]:
    """Sort sources from true words to none; controls come last, and sources of one kind keep their order.

    >>> sort_sources(["replaced-25", "none", "a-pt", "b-ft", "reference"])
    ['reference', 'b-ft', 'a-pt', 'none', 'replaced-25']
    """
    return sorted(sources, key=lambda source: _rank(split_source(source)[0]))


def _rank(kind: str) -> int:
    return ORDER.index(kind) if kind in ORDER else len(ORDER)
