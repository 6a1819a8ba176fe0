"""Stores the parses of SPICE on disk, so that each version of the program parses a text once.

The file is SQLite in `$LOOKBOOK_CACHE`, else in the user's cache folder; several processes may use it at once, and a
killed process damages nothing. It holds at most 512 MB; the parses that were used longest ago are deleted first. It
only saves time: where it is missing, damaged or cannot be written, a warning on stderr says so, and texts are parsed
again with the same result.
"""

import hashlib
import json
import sqlite3
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from captioning.scores.java.corenlp import cache_folder
from pipeline.batches import make_batches

Tuples = list[list[str]]  # [object], [object, attribute] or [subject, object, relation]
Result = TypeVar("Result")

NAME = "spice-parses-1.sqlite"  # the number is that of its format
LIMIT_BYTES = 512 * 2**20
SHARE_LEFT = 0.75  # of the limit, after the oldest parses are deleted
KEYS = 500  # a query
WAIT_SECONDS = 30  # for another process that writes
HOUR = 3600  # `used` is no more exact than that: reading need not write each time
CHECK_BYTES = 8
TABLE = "CREATE TABLE IF NOT EXISTS parses (key BLOB PRIMARY KEY, parse BLOB, used INTEGER) WITHOUT ROWID"
INDEX = "CREATE INDEX IF NOT EXISTS parses_by_use ON parses (used)"


class ParseCache:
    """The stored parses of a program, from `with` to its end.

    Args:
        program: name and version of all that a parse depends on.
        folder: where the file lies; default: `cache_folder()`.
        limit_bytes: how large the file may become.
    """

    def __init__(self, program: str, folder: Path | None = None, limit_bytes: int = LIMIT_BYTES) -> None:
        self.path = (folder or cache_folder()) / NAME
        self.hits = 0
        self._program = program.encode()
        self._limit_bytes = limit_bytes
        self._connection: sqlite3.Connection | None = None
        self._open()

    def read(self, texts: Sequence[str]) -> dict[str, Tuples]:
        """Read the parses of these texts, as far as they are stored."""
        portions = make_batches(list(texts), KEYS)
        parts = self._guard(lambda connection: [self._read(connection, portion) for portion in portions]) or []
        parses = {text: tuples for part in parts for text, tuples in part.items()}
        self.hits += len(parses)
        return parses

    def write(self, parses: dict[str, Tuples]) -> None:
        """Store these parses; a kill after this returns does not lose them."""
        self._guard(lambda connection: self._write(connection, parses))

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> "ParseCache":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = _connect(self.path)
        except (OSError, sqlite3.OperationalError) as error:
            self._give_up(error)
        except sqlite3.DatabaseError as error:
            self._recreate(error)

    def _guard(self, action: Callable[[sqlite3.Connection], Result]) -> Result | None:
        """Return what the action returns, None where there is no usable file."""
        if self._connection is None:
            return None
        try:
            return action(self._connection)
        except sqlite3.OperationalError as error:
            self._give_up(error)
        except sqlite3.DatabaseError as error:
            self._recreate(error)
        return None

    def _give_up(self, error: Exception) -> None:
        self.close()
        _warn(f"{self.path}: {error}; texts are parsed without the cache, which takes longer")

    def _recreate(self, error: Exception) -> None:
        self.close()
        _warn(f"{self.path}: damaged ({error}); it is written again, and texts are parsed again")
        try:
            for end in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + end).unlink(missing_ok=True)
            self._connection = _connect(self.path)
        except (OSError, sqlite3.DatabaseError) as second:
            self._give_up(second)

    def _read(self, connection: sqlite3.Connection, texts: Sequence[str]) -> dict[str, Tuples]:
        keys = {self._key(text): text for text in texts}
        marks, now = ",".join("?" * len(keys)), int(time.time())
        rows = connection.execute(f"SELECT key, parse, used FROM parses WHERE key IN ({marks})", list(keys)).fetchall()
        sound = {key: parse for key, parse, _ in rows if parse[:CHECK_BYTES] == _check(key, parse[CHECK_BYTES:])}
        old = [(now, key) for key, _, used in rows if used < now - HOUR]
        if old:
            with connection:
                connection.executemany("UPDATE parses SET used = ? WHERE key = ?", old)
        return {keys[key]: json.loads(parse[CHECK_BYTES:]) for key, parse in sound.items()}

    def _write(self, connection: sqlite3.Connection, parses: dict[str, Tuples]) -> None:
        rows = []
        for text, tuples in parses.items():
            key, parse = self._key(text), json.dumps(tuples).encode()
            rows.append((key, _check(key, parse) + parse, int(time.time())))
        with connection:
            connection.executemany("INSERT OR REPLACE INTO parses VALUES (?, ?, ?)", rows)
            self._delete_oldest(connection)

    def _delete_oldest(self, connection: sqlite3.Connection) -> None:
        pages, free, size = (
            connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
        used = (pages - free) * size
        if used > self._limit_bytes:  # the pages that become free are filled again: the file does not grow
            (rows,) = connection.execute("SELECT count(*) FROM parses").fetchone()
            surplus = int(rows * (1 - SHARE_LEFT * self._limit_bytes / used)) + 1
            oldest = "SELECT key FROM parses ORDER BY used, key LIMIT ?"
            connection.execute(f"DELETE FROM parses WHERE key IN ({oldest})", [surplus])

    def _key(self, text: str) -> bytes:
        return hashlib.sha256(self._program + b"\0" + text.encode("utf-8", "surrogatepass")).digest()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=WAIT_SECONDS, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(TABLE)
        connection.execute(INDEX)
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _check(key: bytes, parse: bytes) -> bytes:
    """Compute the checksum by which a damaged row is recognized."""
    return hashlib.sha256(key + parse).digest()[:CHECK_BYTES]


def _warn(message: str) -> None:
    print(f"warning: {message}", file=sys.stderr, flush=True)
