"""Marks the attributes of a caption: right where the description names them too, invented where it does not."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

Kind = Literal["", "right", "invented"]


class Part(NamedTuple):
    """A part of a caption; `kind` is empty where it names no attribute."""

    text: str
    kind: Kind = ""


class Marked(NamedTuple):
    """A caption in parts, and the attributes of the description that it does not name."""

    parts: list[Part]
    missed: list[str]


def mark_caption(text: str, spans: Iterable[Mapping[str, Any]], reference: Sequence[str]) -> Marked:
    """Cut a caption at its attributes.

    >>> spans = [{"attribute": "red", "start": 2, "end": 5}, {"attribute": "hood", "start": 7, "end": 11}]
    >>> marked = mark_caption("a red, hood", spans, ["red", "dress"])
    >>> [tuple(part) for part in marked.parts], marked.missed
    ([('a ', ''), ('red', 'right'), (', ', ''), ('hood', 'invented')], ['dress'])

    Args:
        text: The caption.
        spans: Its attributes: attribute, start, end; where two overlap, the second begins at the end of the first.
        reference: The attributes of the description that count.
    """
    ordered = sorted(spans, key=lambda span: (span["start"], span["end"]))
    kinds = (
        (span["start"], span["end"], "right" if span["attribute"] in reference else "invented") for span in ordered
    )
    named = {span["attribute"] for span in ordered}
    missed = [attribute for attribute in dict.fromkeys(reference) if attribute not in named]
    return Marked([Part(*part) for part in cut_at_spans(text, kinds)], missed)


def cut_at_spans(text: str, spans: Iterable[tuple[int, int, Any]]) -> list[tuple[str, Any]]:
    """Cut a text at spans in ascending order; a span that overlaps the one before it begins where that ends.

    >>> cut_at_spans("a red dress", [(2, 5, "right"), (4, 5, "right")])
    [('a ', ''), ('red', 'right'), (' dress', '')]

    Args:
        text: The text.
        spans: First character, the one after the last, and the kind of its part.

    Returns:
        Each part with its kind, empty between the spans; no part of an empty text.
    """
    parts: list[tuple[str, Any]] = []
    end = 0
    for start, stop, kind in spans:
        start, stop = max(start, end), min(stop, len(text))
        if start >= stop:
            continue
        parts += [(text[end:start], "")] if start > end else []
        parts.append((text[start:stop], kind))
        end = stop
    return [*parts, (text[end:], "")] if end < len(text) else parts
