"""Captions made elsewhere, used like those of any captioner: `captioners: {replay: {family: file}}`.

data/models/replay/ holds `captions.csv` (or `.json`, a list of objects, or `.parquet`) with the columns `id` (or
`item_id`, `image_id`) and `caption`, and `tokens` and `finished` where they are known; other columns are ignored.
`captions-pt` and `captions-ft` instead of `captions` give different captions before and after fine-tuning. There is no
model, so nothing is trained.

`captioning.interchange.caption_files` reads the files of `lookbook score` and `lookbook compare` by the rows of this
module. They stand here because a cell of this family depends on its file alone.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from pipeline.cells.missing import is_missing
from pipeline.cells.rows import read_table
from pipeline.core.errors import UserError, first_five

# Of json, pandas and pyarrow.
UNREADABLE = (ValueError, TypeError, OSError, NotImplementedError, RecursionError, pa.ArrowException)
FORMATS = (".csv", ".json", ".parquet")
IDS = ("item_id", "image_id", "id")  # `id` comes last: in COCO's annotations it is the id of the annotation
HALF = "have half a character (a surrogate such as \\ud83d without its other half); write it whole or remove it"
BOOLEANS = {"true": True, "false": False}
Row = dict[str, Any]


def read_captions(folder: Path, variant: str, ids: Sequence[str], all_ids: Sequence[str]) -> pd.DataFrame:
    """Reads the captions of items, in their order: columns `item_id`, `caption`, `tokens`, `finished`.

    Without a column `tokens` the words are counted; without a column `finished` every caption is finished.

    Args:
        folder: of the captioner, below data/models/.
        variant: `pt` or `ft`.
        ids: items that must have a caption.
        all_ids: items that may have a caption; captions of items beyond `ids` are left out.

    Raises:
        UserError: there is no such file, or two; it lacks a column; or ids are missing, unknown or repeated.
    """
    path = find_file(folder, variant)
    rows = read_caption_rows(path)
    allowed = set(all_ids)
    unknown = [item for item in rows if item not in allowed]
    refuse(path, "ids are not in data/prepared/items.parquet", unknown, len(rows))
    missing = [item for item in ids if item not in rows]
    refuse(path, "items of the test split or without description have no caption", missing, len(ids))
    table = _as_table(rows)
    tokens = pd.to_numeric(table["tokens"], errors="coerce")
    wrong = ~(tokens >= 0) | (tokens % 1 != 0)
    refuse(path, "values of tokens are no whole number", table["item_id"][wrong].tolist())
    finished = table["finished"].map(lambda value: BOOLEANS.get(str(value).lower()))
    refuse(path, "values of finished are neither true nor false", table["item_id"][finished.isna()].tolist())
    return table.assign(tokens=tokens, finished=finished).set_index("item_id").loc[list(ids)].reset_index()


def find_file(folder: Path, variant: str) -> Path:
    """Finds the file of a variant: `captions-<variant>.*`, else `captions.*` for both.

    Raises:
        UserError: there is none, or more than one.
    """
    for stem in (f"captions-{variant}", "captions"):
        paths = [folder / f"{stem}{ending}" for ending in FORMATS if (folder / f"{stem}{ending}").is_file()]
        if len(paths) > 1:
            raise UserError(f"{folder}: {' and '.join(path.name for path in paths)}: remove all but one of these files")
        if paths:
            return paths[0]
    raise UserError(
        f"{folder}: no captions-{variant} and no captions, ending in {', '.join(FORMATS)}; put the captions (id, "
        "caption) of this captioner of family file there"
    )


def _as_table(rows: Mapping[str, Row]) -> pd.DataFrame:
    """Builds columns item_id, caption, tokens, finished; a column that the file does not have gets its default."""
    table = pd.DataFrame({"item_id": list(rows), "caption": [row["caption"] for row in rows.values()]})
    words = [len(row["caption"].split()) for row in rows.values()]
    for name, default in (("tokens", words), ("finished", True)):
        named = any(name in row for row in rows.values())
        table[name] = [row.get(name) for row in rows.values()] if named else default
    return table


def read_caption_rows(path: Path) -> dict[str, Row]:
    """Reads the rows of a caption file: id -> row, in the order of the file; each has a `caption`.

    Raises:
        UserError: the file is missing or is none of these; an id comes twice; a caption is missing or no text.
    """
    rows = read_rows(path)
    ids = list_ids(rows, path)
    refuse(path, "ids come more than once", [name for name, count in Counter(ids).items() if count > 1])
    refuse_missing_key(path, rows, "caption")
    by_id = dict(zip(ids, rows, strict=True))
    refuse(path, "captions are no text", [name for name, row in by_id.items() if not is_text(row["caption"], path)])
    refuse(path, f"captions {HALF}", [name for name, row in by_id.items() if not is_whole(row["caption"])])
    return by_id


def read_rows(path: Path) -> list[Row]:
    """Reads the rows of a JSON, CSV or Parquet file as they are; in CSV every value is a text.

    Raises:
        UserError: the file is missing, or is none of these.
    """
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


def list_ids(rows: Sequence[Row], path: Path) -> list[str]:
    """Lists the id of each row; of several columns of ids the first of IDS counts.

    Raises:
        UserError: there is no row, a row has no id, or an id is neither a text nor a whole number.
    """
    if not rows:
        raise UserError(f"{path}: no rows; it needs one for each caption, with id and caption")
    column = next((name for name in IDS if name in rows[0]), None)
    if column is None:
        raise UserError(f"{path}: no `id` (or {', '.join(IDS[:-1])}); it has {', '.join(map(str, rows[0]))}")
    refuse_missing_key(path, rows, column)
    return [convert_id(row[column], path, number) for number, row in enumerate(rows, 1)]


def convert_id(value: object, path: Path, number: int, name: str = "id") -> str:
    """Converts an id, or a group, to text: 7, 7.0 (an integer column with gaps) and "7" are the same.

    Raises:
        UserError: it is neither a text nor a whole number.
    """
    if isinstance(value, str) and value.strip() and is_whole(value):
        return value.strip()
    if isinstance(value, Integral | float) and not isinstance(value, bool) and float(value).is_integer():
        return str(int(value))
    raise UserError(f"{path}: row {number} has the {name} {value!r}; it must be a text or a whole number")


def is_text(value: object, path: Path) -> bool:
    """Tells whether a value is text. In CSV, where every value is, words such as NULL stand for a missing value."""
    return isinstance(value, str) and not (path.suffix == ".csv" and value.strip() and is_missing(value))


def is_whole(text: str) -> bool:
    """Tells whether a text is free of halves of characters beyond 16 bits, which JSON may hold and no file can."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def refuse(path: Path, problem: str, ids: Sequence[str], of: int | None = None) -> None:
    """Refuses a file for what is wrong with these ids; does nothing where there are none.

    Raises:
        UserError: there are such ids; the message counts them and names the first five.
    """
    if ids:
        total = f" of {of}" if of else ""
        raise UserError(f"{path}: {len(ids)}{total} {problem}, first {first_five(ids)}")


def refuse_missing_key(path: Path, rows: Sequence[Row], name: str) -> None:
    """Refuses a file in which a row lacks a key.

    Raises:
        UserError: there is such a row; the message names the first, and the keys that it has.
    """
    for number, row in enumerate(rows, 1):
        if name not in row:
            raise UserError(f"{path}: row {number} has no `{name}`; it has {', '.join(map(str, row))}")


def _records(table: pd.DataFrame) -> list[Row]:
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def _read_json(path: Path) -> list[Row]:
    values = json.loads(path.read_text(encoding="utf-8-sig"))
    if isinstance(values, dict) and isinstance(values.get("annotations"), list):
        values = values["annotations"]
    if not isinstance(values, list) or not all(isinstance(row, dict) for row in values):
        raise UserError(f'{path}: expected a list of objects, [{{"id": 7, "caption": "…", "references": ["…"]}}, …]')
    return values
