"""Caption files of any origin: id, caption and references from JSON, CSV, Parquet, or COCO's results and annotations.

JSON is a list of objects, `[{"id": 7, "caption": "…", "references": ["…", …]}]`; CSV and Parquet have these columns. In CSV
several references are a list in JSON's notation, one may stand as it is, and an empty cell is an empty caption. The id may
also be called `image_id` (as in COCO's results) or `item_id`. References may come from a second file: COCO's annotations,
or one with id and references.
"""

import ast
import json
from collections.abc import Iterable, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.core.errors import UserError, first_five

FORMATS = (".json", ".csv", ".parquet")
IDS = ("image_id", "item_id", "id")  # the first that a row has: in COCO's annotations `id` is that of the annotation
Row = dict[str, Any]


class CaptionFile(NamedTuple):
    """What is scored: id -> caption, in the order of the file, and id -> references, of the same items. And what is not."""

    captions: dict[str, str]
    references: dict[str, list[str]]
    uncaptioned: list[str]  # ids that only the file of references has, in its order


def read_caption_file(path: Path, references: Path | None = None) -> CaptionFile:
    """The captions of a file, with the references in it, or those that another file has for these ids.

    Raises:
        UserError: a file is missing or is none of these; an id comes twice; a text is missing or no text (NaN); a caption
            has no references. The message counts them and names the first five ids.
    """
    rows = _rows(path)
    ids = _ids(rows, path)
    _refuse(path, "ids come more than once", [one for one, count in _counts(ids).items() if count > 1])
    _refuse_missing_key(path, rows, "caption")
    captions = {one: row["caption"] for one, row in zip(ids, rows, strict=True)}
    _refuse(path, "captions are no text", [one for one, text in captions.items() if not _is_text(text, path)])
    known = _references(references) if references else _own_references(path, ids, rows)
    lost = [one for one in ids if not known.get(one)]
    where = f"no references in {references}" if references else "no references; name a file that has them: --references"
    _refuse(path, f"captions have {where}", lost, of=len(ids))
    wrong = [one for one in ids if not all(_is_text(text, path) for text in known[one])]
    _refuse(references or path, "ids have a reference that is no text", wrong)
    return CaptionFile(captions, {one: known[one] for one in ids}, [one for one in known if one not in captions])


def read_groups(path: Path) -> dict[str, str] | None:
    """id -> its group, where the file has a column `group`: items of a group, such as one product, are not independent.

    Raises:
        UserError: some rows have a group and others not, or a group is neither a text nor a whole number.
    """
    rows = _rows(path)
    if not rows or not any("group" in row for row in rows):
        return None
    _refuse_missing_key(path, rows, "group")
    return {
        one: _id(row["group"], path, number, "group")
        for number, (one, row) in enumerate(zip(_ids(rows, path), rows, strict=True), 1)
    }


def _rows(path: Path) -> list[Row]:
    """The rows of the file as they come."""
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        if path.suffix == ".json":
            return _json_rows(path)
        if path.suffix == ".csv":
            return _records(pd.read_csv(path, dtype=str, keep_default_na=False))
        if path.suffix == ".parquet":
            return _records(pd.read_parquet(path))
    except (ValueError, OSError) as error:  # of json, pandas and pyarrow alike
        raise UserError(f"{path}: cannot be read as {path.suffix[1:]}: {str(error).splitlines()[0]}") from None
    raise UserError(f"{path}: the name of a caption file ends in {', '.join(FORMATS)}")


def _records(table: pd.DataFrame) -> list[Row]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _json_rows(path: Path) -> list[Row]:
    values = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(values, dict) and isinstance(values.get("annotations"), list):
        values = values["annotations"]
    if not isinstance(values, list) or not all(isinstance(row, dict) for row in values):
        raise UserError(f'{path}: expected a list of objects, [{{"id": 7, "caption": "…", "references": ["…"]}}, …]')
    return values


def _ids(rows: Sequence[Row], path: Path) -> list[str]:
    if not rows:
        raise UserError(f"{path}: no rows")
    name = next((name for name in IDS if name in rows[0]), None)
    if name is None:
        raise UserError(f"{path}: no `id` (or {', '.join(IDS[:-1])}); it has {', '.join(map(str, rows[0]))}")
    _refuse_missing_key(path, rows, name)
    return [_id(row[name], path, number) for number, row in enumerate(rows, 1)]


def _id(value: Any, path: Path, number: int, name: str = "id") -> str:
    """An id, or a group, as text: 7, 7.0 (an integer column with gaps) and "7" are the same."""
    if isinstance(value, str) and value:
        return value
    if isinstance(value, Integral | float) and not isinstance(value, bool) and value == value and value == int(value):
        return str(int(value))
    raise UserError(f"{path}: row {number} has the {name} {value!r}; it must be a text or a whole number")


def _own_references(path: Path, ids: Sequence[str], rows: Sequence[Row]) -> dict[str, list[str]]:
    return {one: _texts(row.get("references"), path) for one, row in zip(ids, rows, strict=True)}


def _references(path: Path) -> dict[str, list[str]]:
    """The references of every id: one a row as in COCO's annotations (`caption`), or all of them in `references`."""
    rows = _rows(path)
    ids = _ids(rows, path)
    found: dict[str, list[str]] = {}
    if "references" in rows[0]:
        _refuse(path, "ids come more than once", [one for one, count in _counts(ids).items() if count > 1])
        return _own_references(path, ids, rows)
    _refuse_missing_key(path, rows, "caption")
    for one, row in zip(ids, rows, strict=True):
        found.setdefault(one, []).append(row["caption"])
    return found


def _texts(value: Any, path: Path) -> list[Any]:
    """The references of a cell; none where it is empty."""
    if isinstance(value, list | tuple | np.ndarray):
        return list(value)
    if not isinstance(value, str):
        return [] if value is None or value != value else [value]  # NaN is not itself
    if path.suffix == ".csv" and value.strip().startswith("[") and value.strip().endswith("]"):
        return _listed(value) or []
    return [value] if value or path.suffix != ".csv" else []


def _listed(cell: str) -> list[Any] | None:
    """A list in JSON's or Python's notation; a text in brackets is itself."""
    for read in (json.loads, ast.literal_eval):
        try:
            return list(read(cell))
        except (ValueError, SyntaxError):
            continue
    return [cell]


def _is_text(value: Any, path: Path) -> bool:
    """Whether it is text; in CSV, where everything is, `nan` is what a missing value was written as."""
    return isinstance(value, str) and not (path.suffix == ".csv" and value.lower() == "nan")


def _counts(ids: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for one in ids:
        counts[one] = counts.get(one, 0) + 1
    return counts


def _refuse_missing_key(path: Path, rows: Sequence[Row], name: str) -> None:
    for number, row in enumerate(rows, 1):
        if name not in row:
            raise UserError(f"{path}: row {number} has no `{name}`; it has {', '.join(map(str, row))}")


def _refuse(path: Path, what: str, ids: Sequence[str], of: int | None = None) -> None:
    if ids:
        total = f" of {of}" if of else ""
        raise UserError(f"{path}: {len(ids)}{total} {what}; first {first_five(ids)}")
