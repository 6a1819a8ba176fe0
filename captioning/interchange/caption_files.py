"""Reads caption files of any origin with their references: JSON, CSV, Parquet, COCO's results and annotations.

JSON is a list of objects, `[{"id": 7, "caption": "…", "references": ["…", …]}]`; CSV and Parquet have these columns. In
CSV several references are a list as JSON, Python or NumPy write it, a single one may be plain text, an empty cell is an
empty caption, and `nan`, `NULL` or `None` is a missing one. The id may also be called `item_id`, or `image_id` as in
COCO's results. Of several such columns the first of `captioning.families.file.IDS` counts. References may come from a
second file: COCO's annotations, or one with id and references.
"""

from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from captioning.families.file import (
    HALF,
    Row,
    convert_id,
    is_text,
    is_whole,
    list_ids,
    read_caption_rows,
    read_rows,
    refuse,
    refuse_missing_key,
)
from captioning.interchange.lists import parse_texts


class CaptionFile(NamedTuple):
    """The captions of a file and the references of their items.

    Attributes:
        captions: id -> caption, in the order of the file.
        references: id -> references, of the same items.
        uncaptioned: ids that only the file of references has, in its order.
    """

    captions: dict[str, str]
    references: dict[str, list[str]]
    uncaptioned: list[str]


def read_caption_file(path: Path, references: Path | None = None) -> CaptionFile:
    """Read the captions of a file, with the references in it, or those that another file has for these ids.

    Raises:
        UserError: a file is missing or is none of these; an id comes twice; a text is missing or no text (NaN); a
            caption has no references. The message counts the ids and names the first five.
    """
    rows = read_caption_rows(path)
    by_id = _read_references(references) if references else _own_references(path, rows)
    missing = [name for name in rows if not by_id.get(name)]
    where = f"no references in {references}" if references else "no references; name a file that has them: --references"
    refuse(path, f"captions have {where}", missing, of=len(rows))
    wrong = [name for name in rows if not all(is_text(text, path) for text in by_id[name])]
    refuse(references or path, "ids have a reference that is no text", wrong)
    halves = [name for name in rows if not all(map(is_whole, by_id[name]))]
    refuse(references or path, f"ids have references that {HALF}", halves)
    captions = {name: row["caption"] for name, row in rows.items()}
    return CaptionFile(captions, {name: by_id[name] for name in rows}, [name for name in by_id if name not in rows])


def read_groups(path: Path) -> dict[str, str] | None:
    """Read the group of each id: items of a group, such as one product, are not independent.

    Returns:
        id -> group; None where the file has no column `group`.

    Raises:
        UserError: some rows have a group and others not, or a group is neither a text nor a whole number.
    """
    rows = read_rows(path)
    if not rows or not any("group" in row for row in rows):
        return None
    refuse_missing_key(path, rows, "group")
    groups = [convert_id(row["group"], path, number, "group") for number, row in enumerate(rows, 1)]
    return dict(zip(list_ids(rows, path), groups, strict=True))


def _own_references(path: Path, rows: dict[str, Row]) -> dict[str, list[str]]:
    references, unreadable = {}, []
    for name, row in rows.items():
        try:
            references[name] = _texts(row.get("references"), path)
        except ValueError:
            unreadable.append(name)
    refuse(path, 'ids have references that begin like a list and are none; write ["…", "…"]', unreadable)
    return references


def _read_references(path: Path) -> dict[str, list[str]]:
    """Read the references of every id: one a row as in COCO's annotations (`caption`), or all in `references`."""
    rows = read_rows(path)
    ids = list_ids(rows, path)
    if "references" in rows[0]:
        refuse(path, "ids come more than once", [name for name, count in Counter(ids).items() if count > 1])
        return _own_references(path, dict(zip(ids, rows, strict=True)))
    refuse_missing_key(path, rows, "caption")
    references: dict[str, list[str]] = {}
    for name, row in zip(ids, rows, strict=True):
        references.setdefault(name, []).append(row["caption"])
    return references


def _texts(value: object, path: Path) -> list[Any]:
    """List the references of a cell; none where it is empty."""
    if isinstance(value, list | tuple | np.ndarray):
        return list(value)
    if not isinstance(value, str):
        return [] if value is None or value != value else [value]  # NaN is not itself
    return parse_texts(value) if value or path.suffix != ".csv" else []
