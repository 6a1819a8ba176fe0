"""Ways to write a file otherwise that change nothing it says, and ways to damage it. All are drawn from a seed."""

import csv
import io
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import UserError

Rows = list[list[str]]
INPUTS = 400 if "LOOKBOOK_FULL" in os.environ else 20
REFUSED = "refused"
NOTES = ('a "note"', "two\nlines", "a, comma", "", "n/a", "ünï", "'", "\\", "#", "\u2028")


def damage(data: bytes, draws: Random) -> bytes:
    """Flip, cut, insert, repeat or remove some bytes."""
    changed = bytearray(data)
    for _ in range(draws.randint(1, 4)):
        place, length = draws.randrange(len(changed) + 1), draws.choice((1, 1, 2, 8, 64))
        kind = draws.choice(("flip", "cut", "insert", "repeat", "remove", "sign"))
        if kind == "flip" and place < len(changed):
            changed[place] ^= draws.randint(1, 255)
        elif kind == "cut" and draws.random() < 0.3:
            del changed[place:]
        elif kind == "insert":
            changed[place:place] = draws.randbytes(length)
        elif kind == "repeat":
            changed[place:place] = changed[place : place + length]
        elif kind == "remove":
            del changed[place : place + length]
        else:
            changed[place : place + 1] = draws.choice(
                (b",", b'"', b"\n", b"\r", b"\t", b"\0", b"[", b"{", b":", b"\xff", b"'")
            )
    return bytes(changed)


def write_csv(rows: Rows, draws: Random) -> bytes:
    """Write rows, the first of which is the header, in one of the styles of spreadsheets, databases and scripts."""
    rows = [list(row) for row in rows]
    order = draws.sample(range(len(rows[0])), len(rows[0]))
    rows = [[row[column] for column in order] for row in rows]
    if draws.random() < 0.5:
        place = draws.randrange(len(rows[0]) + 1)
        for number, row in enumerate(rows):
            row.insert(place, draws.choice(NOTES) if number else draws.choice(("note", "a, note", "two\nlines")))
    stream = io.StringIO()
    end, quoting = draws.choice(("\n", "\r\n")), draws.choice((csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    writer = csv.writer(stream, lineterminator=end, quoting=quoting)
    if draws.random() < 0.3:
        rows = [[*row, *[""] * draws.choice((1, 2))] for row in rows[:1]] + [[*row, ""] for row in rows[1:]]
    writer.writerows(rows)
    text = stream.getvalue() + end * draws.choice((0, 0, 2))
    if draws.random() < 0.2:
        text = text.removesuffix(end)
    return draws.choice((b"", b"\xef\xbb\xbf")) + text.encode()


def write_json(rows: Rows, draws: Random, convert: Callable[[dict], dict] = dict) -> bytes:
    """Write the same rows as a list of objects."""
    header, *others = rows
    objects = [convert(dict(zip(header, row, strict=True))) for row in others]
    shuffled = [{key: values[key] for key in draws.sample(list(values), len(values))} for values in objects]
    text = json.dumps(shuffled, indent=draws.choice((None, 2)), ensure_ascii=draws.random() < 0.5)
    return draws.choice((b"", b"\xef\xbb\xbf")) + text.encode()


def write_parquet(columns: dict[str, list], draws: Random) -> bytes:
    """Write columns as Parquet of one of several forms; codes, compression and the order of columns differ."""
    names = draws.sample(list(columns), len(columns))
    table = pa.table({name: columns[name] for name in names})
    stream = io.BytesIO()
    pq.write_table(
        table,
        stream,
        compression=draws.choice(("none", "snappy", "zstd", "gzip")),
        use_dictionary=draws.choice((True, False)),
        data_page_version=draws.choice(("1.0", "2.0")),
        row_group_size=draws.choice((1, 2, 100)),
    )
    return stream.getvalue()


def write_list(texts: Sequence[str], draws: Random) -> str:
    """Write texts as JSON, Python or NumPy does."""
    inner = [repr(text) for text in texts]
    return draws.choice((json.dumps(list(texts)), repr(list(texts)), repr(tuple(texts)), f"[{' '.join(inner)}]"))


def check(read: Callable[[], Any], allowed: Callable[[], Any]) -> Any:
    """Return what the reader reads, or that it refuses; fail on any other error and on a value that is not allowed."""
    try:
        value = read()
    except UserError:
        return REFUSED
    assert value == allowed()
    return value


def try_all(
    seed: str, make: Callable[[Random], bytes], path: Path, read: Callable[[], Any], allowed: Callable[[], Any]
) -> float:
    """Read so many inputs; return the share that was not refused."""
    read_ones = 0
    for number in range(INPUTS):
        path.write_bytes(make(Random(f"{seed} {number}")))
        read_ones += check(read, allowed) is not REFUSED
    return read_ones / INPUTS
