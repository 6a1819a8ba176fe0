"""Ratings and notes in SQLite, safe with several processes, tabs and raters: ratings/ratings.sqlite, not in git.

Every write opens a connection of its own, waits up to ten seconds for other writers, is tried twice, and is whole or
absent. The journal is a write-ahead log, set once when the file is made: with a rollback journal writers starve under
load.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from lookbook.ratings.tables import TABLES, Answer, Judgement, Look, Note
from pipeline.core.errors import UserError

PATH = Path("ratings/ratings.sqlite")
SCHEMA = "1"
PATIENCE = 10.0  # seconds that a write waits for others
SEAT = "seat"  # the answer that says which share of a round is a rater's
TABLES_SQL = """
CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS judgement(
    round TEXT, rater TEXT, item_id TEXT, again INTEGER, question TEXT, "left" TEXT NOT NULL, "right" TEXT NOT NULL,
    verdict TEXT NOT NULL, seconds REAL NOT NULL, left_sha256 TEXT NOT NULL, right_sha256 TEXT NOT NULL,
    left_text TEXT NOT NULL, right_text TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY(round, rater, item_id, again, question));
CREATE TABLE IF NOT EXISTS withdrawn(
    round TEXT, rater TEXT, item_id TEXT, again INTEGER, question TEXT,
    PRIMARY KEY(round, rater, item_id, again, question));
CREATE TABLE IF NOT EXISTS note(
    rater TEXT, item_id TEXT, text TEXT NOT NULL, version INTEGER NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY(rater, item_id));
CREATE TABLE IF NOT EXISTS note_history(
    rater TEXT, item_id TEXT, text TEXT NOT NULL, version INTEGER NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS look(
    round TEXT, rater TEXT, decided INTEGER, at TEXT, PRIMARY KEY(round, rater, decided, at));
CREATE TABLE IF NOT EXISTS answer(
    round TEXT, rater TEXT, question TEXT, text TEXT NOT NULL, PRIMARY KEY(round, rater, question));
"""

Result = TypeVar("Result")


class NotSavedError(UserError):
    """Reports that a write failed twice, or that the disk refused it; nothing was changed."""


class NoteConflictError(UserError):
    """Reports that somebody else has changed a note since it was shown.

    Attributes:
        theirs: The note as it is stored.
        yours: The text that was not saved.
    """

    def __init__(self, theirs: Note, yours: str):
        super().__init__(f"the note on {theirs.item_id} was changed meanwhile; not saved, your text is still here")
        self.theirs = theirs
        self.yours = yours


def tell_time() -> str:
    """Return the time in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def create_store(path: Path, dataset: str) -> tuple["Store", str]:
    """Make the file or open it; one process does so, before others write.

    Args:
        path: ratings/ratings.sqlite.
        dataset: The study's data set: ratings of another one do not belong in the same file.

    Returns:
        The store, and a sentence for the user where the disk has no write-ahead log; else nothing.

    Raises:
        UserError: the file holds ratings of another data set or another version, or is no such file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with closing(_connect(path)) as connection:
            journal = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
            connection.executescript(f"BEGIN IMMEDIATE;{TABLES_SQL}COMMIT;")
            own = {"schema": SCHEMA, "study_dataset": dataset}
            connection.executemany("INSERT OR IGNORE INTO meta VALUES (?, ?)", own.items())
            stored = dict(connection.execute("SELECT key, value FROM meta"))
    except sqlite3.Error as error:
        raise UserError(f"{path}: {error}; move it away if it is no file of ratings") from None
    for key, value in own.items():
        if stored[key] != value:
            raise UserError(f"{path}: {key} is {stored[key]}, this study's is {value}; move the file away")
    return Store(path), "" if journal == "wal" else (
        f"{path}: this disk has no write-ahead log, so that several raters at once wait for each other"
    )


class Store:
    """Reads and writes the file of ratings.

    Args:
        path: A file that `create_store` has made.
    """

    def __init__(self, path: Path):
        self.path = path

    def save_judgement(self, judgement: Judgement) -> None:
        """Save a judgement; a second one of the same key takes its place, as after a double click.

        Raises:
            NotSavedError: other writers kept the file for too long, or the disk refused.
        """
        columns = ", ".join(f'"{name}"' for name in Judgement._fields)
        marks = ", ".join("?" * len(Judgement._fields))

        def save(connection: sqlite3.Connection) -> None:
            connection.execute(f"INSERT OR REPLACE INTO judgement({columns}) VALUES ({marks})", _clean(judgement))
            connection.execute(f"DELETE FROM withdrawn WHERE {_KEY_OF_JUDGEMENT}", _clean(judgement[:5]))

        self.write(save)

    def take_back(self, round_name: str, rater: str) -> Judgement | None:
        """Delete the rater's last judgement of a round, and return it; None: there is none.

        Raises:
            NotSavedError: as `save_judgement`.
        """

        def delete(connection: sqlite3.Connection) -> Judgement | None:
            last = connection.execute(
                "SELECT * FROM judgement WHERE round = ? AND rater = ? ORDER BY at DESC, rowid DESC LIMIT 1",
                _clean((round_name, rater)),
            ).fetchone()
            if last is None:
                return None
            connection.execute(f"DELETE FROM judgement WHERE {_KEY_OF_JUDGEMENT}", last[:5])
            connection.execute("INSERT OR IGNORE INTO withdrawn VALUES (?, ?, ?, ?, ?)", last[:5])
            return Judgement(*last)

        return self.write(delete)

    def list_judgements(self, round_name: str, rater: str | None = None) -> list[Judgement]:
        """List the judgements of a round, of one rater or of all, in the order in which they were made."""
        query = "SELECT * FROM judgement WHERE round = ? AND (? IS NULL OR rater = ?) ORDER BY at, rowid"
        with self.read() as connection:
            return [Judgement(*row) for row in connection.execute(query, _clean((round_name, rater, rater)))]

    def save_note(self, rater: str, item_id: str, text: str, version: int) -> Note:
        """Save a note, if nobody has changed it since `version`, and keep every version.

        Args:
            rater: Who writes.
            item_id: The garment.
            text: The note.
            version: The version that the writer saw; 0: there was none.

        Returns:
            The note as it is stored now.

        Raises:
            NoteConflictError: the note was changed meanwhile; it has both texts, and nothing was changed.
            NotSavedError: as `save_judgement`.
        """
        note = Note(*_clean((rater, item_id, text, version + 1, tell_time())))

        def save(connection: sqlite3.Connection) -> None:
            if version:
                changed = connection.execute(
                    "UPDATE note SET text = ?, version = ?, at = ? WHERE rater = ? AND item_id = ? AND version = ?",
                    (note.text, note.version, note.at, note.rater, note.item_id, version),
                ).rowcount
            else:
                changed = connection.execute("INSERT OR IGNORE INTO note VALUES (?, ?, ?, ?, ?)", note).rowcount
            if not changed:
                theirs = _find_note(connection, note.rater, note.item_id)
                raise NoteConflictError(theirs or Note(note.rater, note.item_id, "", 0, note.at), text)
            connection.execute("INSERT INTO note_history VALUES (?, ?, ?, ?, ?)", note)

        self.write(save)
        return note

    def read_note(self, rater: str, item_id: str) -> Note | None:
        """Read a note; None: there is none."""
        with self.read() as connection:
            return _find_note(connection, *_clean((rater, item_id)))

    def list_notes(self, rater: str) -> list[Note]:
        """List the notes of a rater, by garment."""
        with self.read() as connection:
            rows = connection.execute("SELECT * FROM note WHERE rater = ? ORDER BY item_id", _clean((rater,)))
            return [Note(*row) for row in rows]

    def list_versions(self, rater: str, item_id: str) -> list[Note]:
        """List every version of a note, oldest first."""
        query = "SELECT * FROM note_history WHERE rater = ? AND item_id = ? ORDER BY version, rowid"
        with self.read() as connection:
            return [Note(*row) for row in connection.execute(query, _clean((rater, item_id)))]

    def take_seat(self, round_name: str, rater: str) -> int:
        """Return the rater's number in a round, from 0; who comes first has 0, for good.

        Raises:
            NotSavedError: as `save_judgement`.
        """

        def take(connection: sqlite3.Connection) -> int:
            in_round, own = _clean((round_name, rater))
            query = "SELECT rater, text FROM answer WHERE round = ? AND question = ?"
            seats = {name: int(text) for name, text in connection.execute(query, (in_round, SEAT))}
            if own not in seats:
                seats[own] = max(seats.values(), default=-1) + 1
                connection.execute("INSERT INTO answer VALUES (?, ?, ?, ?)", (in_round, own, SEAT, str(seats[own])))
            return seats[own]

        return self.write(take)

    def save_answer(self, answer: Answer) -> None:
        """Save what a rater says about a round, in the place of an earlier answer.

        Raises:
            NotSavedError: as `save_judgement`.
        """
        self.write(
            lambda connection: connection.execute("INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?)", _clean(answer))
        )

    def list_answers(self, round_name: str, rater: str) -> dict[str, str]:
        """List what a rater has answered about a round, by question."""
        query = "SELECT question, text FROM answer WHERE round = ? AND rater = ?"
        with self.read() as connection:
            return dict(connection.execute(query, _clean((round_name, rater))))

    def save_look(self, round_name: str, rater: str, decided: int) -> None:
        """Record that somebody looks at the results before a round is finished.

        Raises:
            NotSavedError: as `save_judgement`.
        """
        look = Look(*_clean((round_name, rater, decided, tell_time())))
        self.write(lambda connection: connection.execute("INSERT OR IGNORE INTO look VALUES (?, ?, ?, ?)", look))

    def list_looks(self, round_name: str) -> list[Look]:
        """List who looked at a round's results early, oldest first."""
        query = "SELECT * FROM look WHERE round = ? ORDER BY at"
        with self.read() as connection:
            return [Look(*row) for row in connection.execute(query, _clean((round_name,)))]

    def write(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do some work in a transaction of its own connection; tried twice, whole or absent.

        Raises:
            NotSavedError: other writers kept the file for too long, or the disk refused.
        """
        try:
            return self._write_once(work)
        except sqlite3.OperationalError:
            try:
                return self._write_once(work)
            except sqlite3.OperationalError as error:
                raise NotSavedError(f"{self.path}: {error}; not saved, your text is still here") from None

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Open a connection that reads."""
        with closing(_connect(self.path)) as connection:
            yield connection

    def _write_once(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        with closing(_connect(self.path)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(connection)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            return result


_KEY_OF_JUDGEMENT = " AND ".join(f"{name} = ?" for name in Judgement._fields[: TABLES["judgement"].key])


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    connection.execute(f"PRAGMA busy_timeout={int(1000 * PATIENCE)}")
    return connection


def _find_note(connection: sqlite3.Connection, rater: str, item_id: str) -> Note | None:
    row = connection.execute("SELECT * FROM note WHERE rater = ? AND item_id = ?", (rater, item_id)).fetchone()
    return Note(*row) if row else None


def _clean(values: Sequence[Any]) -> tuple[Any, ...]:
    """Replace half surrogates, which no file can hold."""
    return tuple(value.encode("utf-8", "replace").decode() if isinstance(value, str) else value for value in values)
