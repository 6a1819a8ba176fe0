"""The sources of the words of arrivals: their names in params.yaml, and those of their files in data/sources.

Arrivals are the items of the captioning test split: a shop's new garments, which have no purchase to learn from. A
source says where their words come from. `pt`, `ft` and `ft-epoch-N` stand for the captions of every captioner of the
study.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from pipeline.core.params import suggest

OWN = ("reference", "second", "none", "table", "nearest", "shuffled")
CAPTIONS = ("pt", "ft")  # of every captioner: <captioner>-pt, <captioner>-ft
WITHOUT_CAPTIONS = (
    "none",
    "table",
    "nearest",
)  # have words of validation arrivals too: the best of them is chosen there
EPOCH = re.compile(r"ft-epoch-([1-9][0-9]*)")  # captions of every captioner after so many epochs of fine-tuning
REPLACED = re.compile(r"replaced-([1-9][0-9]?)")  # so many percent of the words
ALLOWED = (*OWN, "replaced-N (N from 1 to 99)", *CAPTIONS, "ft-epoch-N (N from 1)")


def explain_unknown_source(name: object) -> str:
    """Return a line with the allowed names and the nearest one, or nothing if the name is allowed.

    >>> explain_unknown_source("replaced-25"), explain_unknown_source("pt")
    ('', '')
    >>> explain_unknown_source("refrence").partition("; did")[2]
    ' you mean reference?'
    """
    if name in OWN or _is_of_every_captioner(str(name)) or REPLACED.fullmatch(str(name)):
        return ""
    hint = suggest(str(name), [*OWN, *CAPTIONS, "ft-epoch-1", "replaced-25"])
    return f"{name!r} is no known source; must be one of: {', '.join(ALLOWED)}{hint}"


def _check(name: str) -> str:
    problem = explain_unknown_source(name)
    if problem:
        raise ValueError(problem)
    return name


SourceName = Annotated[str, AfterValidator(_check)]


def expand_sources(sources: Iterable[str], captioners: Iterable[str]) -> list[str]:
    """List the names of the sources' files: `pt`, `ft` and `ft-epoch-N` become one source for each captioner.

    >>> expand_sources(["none", "pt", "ft-epoch-2"], ["git", "llava"])
    ['none', 'git-pt', 'llava-pt', 'git-ft-epoch-2', 'llava-ft-epoch-2']
    """
    names = list(captioners)
    expanded = [
        [name_captions(captioner, source) for captioner in names] if _is_of_every_captioner(source) else [source]
        for source in sources
    ]
    return list(dict.fromkeys(name for some in expanded for name in some))


def name_captions(captioner: str, variant: str) -> str:
    """Return the name of the source that holds a captioner's captions.

    >>> name_captions("llava", "ft")
    'llava-ft'
    """
    return f"{captioner}-{variant}"


def _is_of_every_captioner(source: str) -> bool:
    return source in CAPTIONS or EPOCH.fullmatch(source) is not None


def find_caption_file(source: str, folder: Path) -> Path:
    """Return the file with the captions of a source.

    >>> find_caption_file("llava-ft", Path("c")).as_posix(), find_caption_file("llava-ft-epoch-2", Path("c")).as_posix()
    ('c/llava-ft.parquet', 'c/epochs/llava/2.parquet')

    Args:
        source: the captions of a captioner, from `expand_sources`.
        folder: of the captions.
    """
    match = re.fullmatch(rf"(.+)-{EPOCH.pattern}", source)
    return folder / "epochs" / match[1] / f"{match[2]}.parquet" if match else folder / f"{source}.parquet"


def read_percent(source: str) -> int | None:
    """Return how many percent of the words a source replaces, None if it replaces none.

    >>> read_percent("replaced-25"), read_percent("reference")
    (25, None)
    """
    match = REPLACED.fullmatch(source)
    return int(match[1]) if match else None
