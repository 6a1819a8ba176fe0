"""The tables of ratings as CSV files in git: whole, sorted, with LF, every text as it is."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.core.errors import UserError

RATINGS = Path("ratings")
LEFT = "left"  # what a rater says: the left caption, the right one, both good, both bad, no answer
RIGHT = "right"
GOOD = "good"
BAD = "bad"
SKIP = "skip"
VERDICTS = (LEFT, RIGHT, GOOD, BAD, SKIP)


class Judgement(NamedTuple):
    """What a rater said of a pair of captions, with the captions: key round, rater, item_id, again, question.

    Attributes:
        round: The round's name.
        rater: The rater's name, as they gave it.
        item_id: The garment.
        again: 1 where the pair came again with sides swapped.
        question: A key of `rounds.QUESTIONS`.
        left: The arm whose caption stood on the left.
        right: The other arm.
        verdict: One of `VERDICTS`.
        seconds: From the pair's appearance to the answer.
        left_sha256: Of the left caption, without white space at its ends.
        right_sha256: Of the right caption.
        left_text: The left caption.
        right_text: The right caption.
        at: When, in UTC.
    """

    round: str
    rater: str
    item_id: str
    again: int
    question: str
    left: str
    right: str
    verdict: str
    seconds: float
    left_sha256: str
    right_sha256: str
    left_text: str
    right_text: str
    at: str


class Note(NamedTuple):
    """What somebody wrote of a garment; each change raises the version by one, from 1."""

    rater: str
    item_id: str
    text: str
    version: int
    at: str


class Answer(NamedTuple):
    """What a rater answered about a round: `seat`, `told_apart`, `role`."""

    round: str
    rater: str
    question: str
    text: str


class Look(NamedTuple):
    """That somebody looked at the results of a round before it was finished, after so many judgements."""

    round: str
    rater: str
    decided: int
    at: str


class Table(NamedTuple):
    """A table: its file, its rows, how many columns from the left are the key, and columns that need not agree."""

    file: str
    row: type[Any]
    key: int
    free: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self.row._fields


TABLES = {  # by their names in ratings.sqlite
    "judgement": Table("judgements.csv", Judgement, 5, ("seconds", "at")),
    "note": Table("notes.csv", Note, 2, ("at",)),
    "answer": Table("answers.csv", Answer, 3),
    "look": Table("looks.csv", Look, 4),
}


def write_table(path: Path, table: Table, rows: Iterable[Iterable[Any]]) -> None:
    """Write rows as CSV, sorted by the key, all texts quoted; one that begins with = + - or @ is written as it is."""
    from pipeline.core.outputs import new_file  # not at the top: it loads pandas, and the application starts without

    with new_file(path) as partial, open(partial, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writerow(table.columns)
        ordered = sorted(map(tuple, rows), key=lambda row: row[: table.key])
        writer.writerows(ordered)


def read_table(path: Path, table: Table) -> list[Any]:
    """Read the rows of a table, as its `row`.

    Raises:
        UserError: the file is missing, has other columns, a value of a wrong type, an unknown verdict, or a key twice.
    """
    header, *lines = _read_lines(path) or [[]]
    if tuple(header) != table.columns:
        raise UserError(f"{path}: the header must be {','.join(table.columns)}; found {','.join(header)}")
    rows = [_parse(path, number, table, line) for number, line in enumerate(lines, 2)]
    keys = [row[: table.key] for row in rows]
    if len(set(keys)) < len(keys):
        twice = next(key for index, key in enumerate(keys) if key in keys[:index])
        raise UserError(f"{path}: two rows with the key {', '.join(map(str, twice))}; keep one of them")
    return rows


def find_table(path: Path) -> str:
    """Return the name of the table that a CSV file holds, by its header.

    Raises:
        UserError: it is the header of no table.
    """
    header = tuple(next(iter(_read_lines(path)), ()))
    for name, table in TABLES.items():
        if header == table.columns:
            return name
    allowed = "; ".join(f"{table.file}: {','.join(table.columns)}" for table in TABLES.values())
    raise UserError(f"{path}: {','.join(header)} is the header of no table of ratings; must be one of: {allowed}")


def _read_lines(path: Path) -> list[list[str]]:
    from pipeline.core.outputs import require

    with open(require(path), encoding="utf-8", newline="") as file:
        try:
            return list(csv.reader(file))
        except (UnicodeDecodeError, csv.Error) as error:
            raise UserError(f"{path}: not a CSV file in UTF-8: {error}") from None


def _parse(path: Path, number: int, table: Table, line: Sequence[str]) -> Any:
    if len(line) != len(table.columns):
        raise UserError(f"{path}: record {number} has {len(line)} values; must have {len(table.columns)}")
    values = []
    for (column, kind), text in zip(table.row.__annotations__.items(), line, strict=True):
        try:
            values.append(kind(text))
        except ValueError:
            raise UserError(f"{path}: record {number}: {column}: {text!r} is no {kind.__name__}") from None
        if column == "verdict" and text not in VERDICTS:
            allowed = ", ".join(VERDICTS)
            raise UserError(f"{path}: record {number}: verdict: {text!r} is not allowed; must be one of: {allowed}")
    return table.row(*values)
