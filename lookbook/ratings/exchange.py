"""Ratings between ratings/ratings.sqlite and the CSV files in git, and from one laboratory to another."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lookbook.ratings.store import Store
from lookbook.ratings.tables import TABLES, Note, find_table, read_table, write_table
from pipeline.core.errors import UserError, first_five


def export_ratings(store: Store, folder: Path) -> dict[str, int]:
    """Write every table as CSV, whole and sorted; return the rows of each file.

    Rows that the files have and the store has not, such as those that came with `git pull`, are taken into the store
    first, so that no file ever loses one. One export runs at a time.

    Raises:
        UserError: a file is no table of ratings, or cannot be written.
    """

    def export(connection: sqlite3.Connection) -> dict[str, int]:
        for name, table in TABLES.items():
            if (folder / table.file).exists():
                _merge(connection, name, read_table(folder / table.file, table))
        counts = {}
        for table_name, table in TABLES.items():
            rows = connection.execute(f'SELECT {_quote(table.columns)} FROM "{table_name}"').fetchall()
            write_table(folder / table.file, table, rows)
            counts[table.file] = len(rows)
        return counts

    return store.write(export)


def import_ratings(store: Store, path: Path) -> int:
    """Take the rows of another laboratory's CSV file into the store; return how many are new.

    Raises:
        UserError: the file is no table of ratings, or has another judgement, answer or note under the same key; the
            store is then as it was.
    """
    name = find_table(path)
    rows = read_table(path, TABLES[name])

    def take(connection: sqlite3.Connection) -> int:
        count, conflicts = _merge(connection, name, rows)
        if conflicts:
            raise UserError(
                f"{path}: {len(conflicts)} rows differ from {store.path} under the same key "
                f"({', '.join(TABLES[name].columns[: TABLES[name].key])}): {first_five(conflicts)}; nothing was "
                "imported: rename the rater in the file, or delete the rows that are wrong"
            )
        return count

    return store.write(take)


def _merge(connection: sqlite3.Connection, name: str, rows: Sequence[Any]) -> tuple[int, list[str]]:
    """Insert the rows whose keys the store lacks; return their number, and the keys under which others stand.

    A judgement that was taken back stays so. Of two notes the one with the higher version stays; the history has both.
    """
    table = TABLES[name]
    key = " AND ".join(f'"{column}" = ?' for column in table.columns[: table.key])
    find = f'SELECT {_quote(table.columns)} FROM "{name}" WHERE {key}'
    insert = f'INSERT OR REPLACE INTO "{name}" VALUES ({", ".join("?" * len(table.columns))})'
    count, conflicts = 0, []
    for row in rows:
        own = connection.execute(find, row[: table.key]).fetchone()
        version = own[3] if own and isinstance(row, Note) else 0
        is_new = own is None or (isinstance(row, Note) and row.version > version)
        if is_new and not (name == "judgement" and _is_withdrawn(connection, key, row[: table.key])):
            connection.execute(insert, row)
            count += 1
        elif own and not _agree(table.row(*own), row, table.free) and not 0 < getattr(row, "version", 0) < version:
            conflicts.append(" ".join(map(str, row[: table.key])))
            continue
        if isinstance(row, Note):
            _remember(connection, row)
    return count, conflicts


def _remember(connection: sqlite3.Connection, note: Note) -> None:
    """Add a version of a note to its history, if it is not there."""
    query = "SELECT count(*) FROM note_history WHERE rater = ? AND item_id = ? AND text = ? AND version = ?"
    if not connection.execute(query, note[:4]).fetchone()[0]:
        connection.execute("INSERT INTO note_history VALUES (?, ?, ?, ?, ?)", note)


def _is_withdrawn(connection: sqlite3.Connection, key: str, values: Sequence[Any]) -> bool:
    return connection.execute(f"SELECT count(*) FROM withdrawn WHERE {key}", values).fetchone()[0] > 0


def _agree(own: Any, other: Any, free: Sequence[str]) -> bool:
    return all(getattr(own, name) == getattr(other, name) for name in own._fields if name not in free)


def _quote(columns: Sequence[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
