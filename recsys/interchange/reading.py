"""Purchases and lists as other programs write them: TSV (Elliot's form), CSV or Parquet, read into integer codes.

- `.parquet`, and `.csv` with a header: columns `user`, `item` (or `user_id`/`userId`, `item_id`/`itemId`), and `rating`
  of purchases, `score` or `rank` of lists. Lists without any of them are best first as in the file, and then other
  columns are refused;
- any other name, such as `.tsv`: tab-separated without a header, columns in this order: user, item, rating[, timestamp]
  of purchases, user, item, score[, rank] of lists. A text file may be compressed (`.gz`).

Of any form are files with the columns that WarpRec writes: `user_id`, `item_id`, `rating`[, `timestamp`], where the
rating of a list is its score.

Ids keep their characters: `0351332007` and `351332007` are two items, a quote in a TSV is part of an id. Without
ratings all are 1. A timestamp may be a date, a moment with or without a zone, or a number of seconds, milliseconds,
microseconds or nanoseconds since 1970.
"""

import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.cells.missing import find_missing, find_nobody
from pipeline.cells.times import NoTimeError, read_seconds
from pipeline.core.errors import SHOWN, UserError, first_five
from recsys.interchange.tables import LISTS, PURCHASES, read_csv, read_parquet, read_tsv

MAX_RATING = 500.0  # the gain of a rating is 2^(rating + 1) − 1


@dataclass(frozen=True)
class Ids:
    """The ids of rows: `names[codes[r]]` is that of row r.

    Attributes:
        codes: (n_rows,) int32.
        names: (n_ids,) str, in the order of first appearance; every name is the id of a row.
    """

    codes: np.ndarray
    names: pa.Array

    def index_in(self, other: pa.Array) -> np.ndarray:
        """Return the index of each name in `other`, −1 where it is missing: (n_ids,) int32."""
        return np.array(pc.fill_null(pc.index_in(self.names, value_set=other), -1), dtype=np.int32)


@dataclass(frozen=True)
class Pairs:
    """The rows of a file: a row per purchase, or per item of a list.

    Attributes:
        path: The file.
        user: The user of each row.
        item: The item of each row.
        values: rating, or score and rank: (n_rows,) float64; a column that the file lacks is absent.
    """

    path: Path
    user: Ids
    item: Ids
    values: dict[str, np.ndarray]

    def where(self, chosen: np.ndarray) -> "Pairs":
        """Return the chosen rows alone; `chosen` is (n_rows,) bool."""
        user, item = (_number_by_appearance(ids.codes[chosen], ids.names) for ids in (self.user, self.item))
        return Pairs(self.path, user, item, {name: values[chosen] for name, values in self.values.items()})


def read_purchases(path: Path, with_time: bool = False) -> Pairs:
    """Read users, items and ratings of a file, and timestamps (seconds since 1970) with `with_time`.

    Raises:
        UserError: No such file, another form, no rows, or a rating that is negative, too large or not a number.
    """
    rows = _read(path, PURCHASES, ("rating", "timestamp") if with_time else ("rating",))
    if with_time and "timestamp" in rows.values:
        _refuse(np.isnan(rows.values["timestamp"]), rows, rows.values["timestamp"], "timestamp is not a number")
    if "rating" in rows.values:
        _check_ratings(rows)
    return rows


def read_lists(path: Path) -> Pairs:
    """Read users, items, scores and ranks of a file, in file order.

    Raises:
        UserError: No such file, another form, no rows, a score or rank that is not a number, or neither of both but
            columns of another name.
    """
    rows = _read(path, LISTS, ("score", "rank"))
    for name, values in rows.values.items():
        _refuse(np.isnan(values), rows, values, f"{name} is not a number; every row needs one, or none")
    return rows


def find_form(path: Path) -> str:
    """Return `parquet`, `csv` or `tsv`, by the name of a file.

    >>> find_form(Path("lists.csv.gz")), find_form(Path("train.data"))
    ('csv', 'tsv')
    """
    name = path.name.lower().removesuffix(".gz")
    return "parquet" if name.endswith(".parquet") else "csv" if name.endswith(".csv") else "tsv"


def take_last_rows(
    user: np.ndarray, item: np.ndarray, value: np.ndarray, n_items: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return user, item and value of the last row of each pair, by user and item.

    User 1 rated item 0 twice:

    >>> rows = take_last_rows(np.array([1, 0, 1]), np.array([0, 2, 0]), np.array([3.0, 4.0, 5.0]), 3)
    >>> [column.tolist() for column in rows]
    [[0, 1], [2, 0], [4.0, 5.0]]
    """
    key = user.astype(np.int64) * n_items + item
    order = np.argsort(key, kind="stable")
    key = key[order]
    last = order[np.append(key[1:] != key[:-1], True)] if len(key) else order
    return user[last], item[last], value[last]


def _read(path: Path, columns: tuple[str, ...], numbers: tuple[str, ...]) -> Pairs:
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    form = find_form(path)
    try:
        table = {"parquet": read_parquet, "csv": read_csv, "tsv": read_tsv}[form](path, columns, numbers)
    except (pa.ArrowException, UnicodeDecodeError, OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read as {form.upper()}: {error}") from None
    if not len(table):
        raise UserError(f"{path}: has no rows")
    values = {name: _to_numbers(table[name], path, name) for name in numbers if name in table.column_names}
    return Pairs(path, _number_ids(table["user"], path, "user"), _number_ids(table["item"], path, "item"), values)


def _number_ids(column: pa.ChunkedArray, path: Path, name: str) -> Ids:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_floating(kind):
        raise UserError(f"{path}: {name}: ids are floating-point numbers; write them as text or whole numbers")
    if pa.types.is_nested(kind):
        raise UserError(f"{path}: {name}: ids are of type {kind}; write them as text or whole numbers, one a row")
    if column.null_count:
        raise UserError(f"{path}: {column.null_count} rows have no {name}")
    if not pa.types.is_dictionary(column.type):
        column = pc.dictionary_encode(column)
    column = column.unify_dictionaries().combine_chunks()
    codes = column.indices.to_numpy().astype(np.int32, copy=False)
    try:
        names = column.dictionary.cast(pa.string())
        names.validate(full=True)  # a Parquet file may hold any bytes as text
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(f"{path}: {name}: ids cannot be read as text in UTF-8: {error}; write them again") from None
    if pc.any(pc.equal(names, "")).as_py():
        raise UserError(f"{path}: rows have an empty {name}")
    nobody = find_nobody(names) if name == "user" else find_missing(names)
    if pc.any(nobody).as_py():
        rows, word = int(np.asarray(nobody)[codes].sum()), names.filter(nobody)[0].as_py()
        raise UserError(
            f"{path}: {rows} rows have the {name} {word!r}, a word for none; remove them, or name the {name}"
        )
    return _number_by_appearance(codes, names)


def _number_by_appearance(codes: np.ndarray, names: pa.Array) -> Ids:
    """The ids renumbered in the order of first appearance, without names that no row has."""
    first = np.full(len(names), len(codes), dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes) - 1, -1, -1)  # the last one written is the first row
    order = np.argsort(first, kind="stable")[: int((first < len(codes)).sum())]
    if np.array_equal(order, np.arange(len(names))):
        return Ids(codes, names)
    new_code = np.zeros(len(names), dtype=np.int32)
    new_code[order] = np.arange(len(order), dtype=np.int32)
    return Ids(new_code[codes], names.take(pa.array(order)))


def _to_numbers(column: pa.ChunkedArray, path: Path, name: str) -> np.ndarray:
    try:
        if name == "timestamp":
            return read_seconds(column)
        return pc.fill_null(column.cast(pa.float64()), float("nan")).to_numpy()
    except NoTimeError as error:
        raise UserError(f"{path}: {name}: {error}") from None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise UserError(f"{path}: {name}: expected numbers, found {column.type}") from None


def _check_ratings(rows: Pairs) -> None:
    rating = rows.values["rating"]
    _refuse(np.isnan(rating), rows, rating, "rating is not a number")
    _refuse(rating < 0, rows, rating, "rating is negative; ratings are 0 or more, or leave the column out")
    _refuse(
        rating > MAX_RATING,
        rows,
        rating,
        f"rating is more than {MAX_RATING:.0f}: is this column the timestamp? "
        "Columns are user, item, rating[, timestamp]",
    )


def _refuse(wrong: np.ndarray, rows: Pairs, values: np.ndarray, problem: str) -> None:
    """Raise an error that counts the wrong rows, (n_rows,) bool, and shows the first of them."""
    indices = np.flatnonzero(wrong)
    if len(indices):
        first = indices[: SHOWN + 1]
        users, items = (ids.names.take(pa.array(ids.codes[first])).to_pylist() for ids in (rows.user, rows.item))
        shown = [f"{u} {i} {v:g}" for u, i, v in zip(users, items, values[first], strict=True)]
        raise UserError(f"{rows.path}: {len(indices)} of {len(values)} rows: {problem}; first: {first_five(shown)}")
