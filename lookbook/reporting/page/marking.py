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
    parts: list[Part] = []
    end = 0
    named = set()
    for span in sorted(spans, key=lambda span: (span["start"], span["end"])):
        named.add(span["attribute"])
        start, stop = max(span["start"], end), min(span["end"], len(text))
        if start >= stop:
            continue
        parts += [Part(text[end:start])] if start > end else []
        parts.append(Part(text[start:stop], "right" if span["attribute"] in reference else "invented"))
        end = stop
    parts += [Part(text[end:])] if end < len(text) else []
    return Marked(parts, [attribute for attribute in dict.fromkeys(reference) if attribute not in named])
