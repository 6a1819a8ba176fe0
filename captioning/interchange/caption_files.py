"""Reads caption files of any origin, the one reader of them: JSON, CSV, Parquet, COCO's results and annotations.

JSON is a list of objects, `[{"id": 7, "caption": "…", "references": ["…", …]}]`; CSV and Parquet have these columns. In
CSV several references are a list as JSON, Python or NumPy write it, a single one may be plain text, an empty cell is an
empty caption, and `nan` is a missing one. The id may also be called `item_id`, or `image_id` as in COCO's results. Of
several such columns the first of IDS counts. References may come from a second file: COCO's annotations, or one with
id and references.
"""

import json
from collections import Counter
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from captioning.interchange.lists import parse_texts
from pipeline.cells.rows import read_table
from pipeline.core.errors import UserError, first_five

UNREADABLE = (ValueError, TypeError, OSError, NotImplementedError, RecursionError)  # of json, pandas and pyarrow
FORMATS = (".csv", ".json", ".parquet")
IDS = ("item_id", "image_id", "id")  # `id` comes last: in COCO's annotations it is the id of the annotation
HALF = "have half a character (a surrogate such as \\ud83d without its other half); write it whole or remove it"
Row = dict[str, Any]


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
        caption
            has no references. The message counts the ids and names the first five.
    """
    rows = read_captions(path)
    by_id = _read_references(references) if references else _own_references(path, rows)
    missing = [name for name in rows if not by_id.get(name)]
    where = f"no references in {references}" if references else "no references; name a file that has them: --references"
    refuse(path, f"captions have {where}", missing, of=len(rows))
    wrong = [name for name in rows if not all(_is_text(text, path) for text in by_id[name])]
    refuse(references or path, "ids have a reference that is no text", wrong)
    halves = [name for name in rows if not all(map(_is_whole, by_id[name]))]
    refuse(references or path, f"ids have references that {HALF}", halves)
    captions = {name: row["caption"] for name, row in rows.items()}
    return CaptionFile(captions, {name: by_id[name] for name in rows}, [name for name in by_id if name not in rows])


def read_captions(path: Path) -> dict[str, Row]:
    """Read the rows of a caption file: id -> row, in the order of the file; each has a `caption`.

    Raises:
        UserError: the file is missing or is none of these; an id comes twice; a caption is missing or no text.
    """
    rows = _read_rows(path)
    ids = _ids(rows, path)
    refuse(path, "ids come more than once", [name for name, count in Counter(ids).items() if count > 1])
    _refuse_missing_key(path, rows, "caption")
    by_id = dict(zip(ids, rows, strict=True))
    refuse(path, "captions are no text", [name for name, row in by_id.items() if not _is_text(row["caption"], path)])
    refuse(path, f"captions {HALF}", [name for name, row in by_id.items() if not _is_whole(row["caption"])])
    return by_id


def read_groups(path: Path) -> dict[str, str] | None:
    """Read the group of each id: items of a group, such as one product, are not independent.

    Returns:
        id -> group; None where the file has no column `group`.

    Raises:
        UserError: some rows have a group and others not, or a group is neither a text nor a whole number.
    """
    rows = _read_rows(path)
    if not rows or not any("group" in row for row in rows):
        return None
    _refuse_missing_key(path, rows, "group")
    groups = [_as_id(row["group"], path, number, "group") for number, row in enumerate(rows, 1)]
    return dict(zip(_ids(rows, path), groups, strict=True))


def refuse(path: Path, problem: str, ids: Sequence[str], of: int | None = None) -> None:
    """Refuse a file for what is wrong with these ids; do nothing where there are none.

    Raises:
        UserError: there are such ids; the message counts them and names the first five.
    """
    if ids:
        total = f" of {of}" if of else ""
        raise UserError(f"{path}: {len(ids)}{total} {problem}, first {first_five(ids)}")


def _read_rows(path: Path) -> list[Row]:
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        if path.suffix == ".json":
            return _read_json(path)
        if path.suffix == ".csv":
            with open(path, "rb") as file:
                return _records(read_table(file, str(path)))
        if path.suffix == ".parquet":
            return _records(pd.read_parquet(path))
    except UNREADABLE as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(f"{path}: cannot be read as {path.suffix[1:]}: {reason}") from None
    raise UserError(f"{path}: the name of a caption file ends in {', '.join(FORMATS)}")


def _records(table: pd.DataFrame) -> list[Row]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _read_json(path: Path) -> list[Row]:
    values = json.loads(path.read_text(encoding="utf-8-sig"))
    if isinstance(values, dict) and isinstance(values.get("annotations"), list):
        values = values["annotations"]
    if not isinstance(values, list) or not all(isinstance(row, dict) for row in values):
        raise UserError(f'{path}: expected a list of objects, [{{"id": 7, "caption": "…", "references": ["…"]}}, …]')
    return values


def _ids(rows: Sequence[Row], path: Path) -> list[str]:
    if not rows:
        raise UserError(f"{path}: no rows; it needs one for each caption, with id and caption")
    column = next((name for name in IDS if name in rows[0]), None)
    if column is None:
        raise UserError(f"{path}: no `id` (or {', '.join(IDS[:-1])}); it has {', '.join(map(str, rows[0]))}")
    _refuse_missing_key(path, rows, column)
    return [_as_id(row[column], path, number) for number, row in enumerate(rows, 1)]


def _as_id(value: object, path: Path, number: int, name: str = "id") -> str:
    """Convert an id, or a group, to text: 7, 7.0 (an integer column with gaps) and "7" are the same."""
    if isinstance(value, str) and value.strip() and _is_whole(value):
        return value.strip()
    if isinstance(value, Integral | float) and not isinstance(value, bool) and float(value).is_integer():
        return str(int(value))
    raise UserError(f"{path}: row {number} has the {name} {value!r}; it must be a text or a whole number")


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
    rows = _read_rows(path)
    ids = _ids(rows, path)
    if "references" in rows[0]:
        refuse(path, "ids come more than once", [name for name, count in Counter(ids).items() if count > 1])
        return _own_references(path, dict(zip(ids, rows, strict=True)))
    _refuse_missing_key(path, rows, "caption")
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


def _is_text(value: object, path: Path) -> bool:
    """Tell whether a value is text. In CSV, where every value is, `nan` stands for a missing value."""
    return isinstance(value, str) and not (path.suffix == ".csv" and value.lower() == "nan")


def _is_whole(text: str) -> bool:
    """Tell whether a text is free of halves of characters beyond 16 bits, which JSON may hold and no file can."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _refuse_missing_key(path: Path, rows: Sequence[Row], name: str) -> None:
    for number, row in enumerate(rows, 1):
        if name not in row:
            raise UserError(f"{path}: row {number} has no `{name}`; it has {', '.join(map(str, row))}")
