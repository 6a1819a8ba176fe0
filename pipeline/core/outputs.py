"""Outputs that are whole or absent: written as `<name>.….partial` in the same folder, then renamed."""

import errno
import glob
import json
import math
import os
import secrets
import shutil
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import UserError

ATTEMPTS = 5  # to put a folder in its place, while another process does the same


@contextmanager
def new_file(path: Path | str) -> Iterator[Path]:
    """Yield a path to write to; it becomes `path` when the block succeeds, and is removed when the block fails.

    Each attempt has a path of its own, so that two that write the same output never touch one another's half-written
    file: the output is that of one of them, whole.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial_path(path)
    try:
        yield partial
        with open(partial, "rb") as written:
            os.fsync(written.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def new_folder(path: Path | str) -> Iterator[Path]:
    """Yield a folder to write in; it replaces `path` when the block succeeds, and is removed when the block fails.

    Each attempt has a folder of its own, as in `new_file`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = _partial_path(path)
    partial.mkdir()
    try:
        yield partial
        _replace_folder(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _partial_path(path: Path) -> Path:
    """Return `<name>.<host>-<process>-<random>.partial` beside an output: the name says which process writes it."""
    _remove_leftovers(path.parent.resolve())
    return path.with_name(f"{path.name}.{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}.partial")


@cache
def _remove_leftovers(folder: Path) -> None:
    """Remove what killed processes of this host left half-written in a folder, once in each process."""
    for partial in folder.glob(f"*.{glob.escape(socket.gethostname())}-*-*.partial"):
        pid = partial.stem.split("-")[-2]
        if pid.isdecimal() and not _is_alive(int(pid)):
            shutil.rmtree(partial) if partial.is_dir() else partial.unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        pass
    return True


def _replace_folder(partial: Path, path: Path) -> None:
    """Put a folder in the place of another; try again where a second writer was quicker."""
    for attempt in range(ATTEMPTS):
        shutil.rmtree(path, ignore_errors=True)
        try:
            os.replace(partial, path)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or attempt == ATTEMPTS - 1:
                raise


def write_json(path: Path | str, values: Any) -> None:
    """Write JSON at full precision, keys in the order of `values`.

    Raises:
        ValueError: a number is not finite; the message names its key.
    """
    _refuse_not_finite(values, str(path))
    with new_file(path) as partial:
        partial.write_text(json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def write_parquet(path: Path | str, table: pd.DataFrame | pa.Table) -> None:
    """Write a table as Parquet; equal values give equal bytes."""
    if isinstance(table, pd.DataFrame):
        table = pa.Table.from_pandas(table, preserve_index=False).replace_schema_metadata(None)
    with new_file(path) as partial:
        pq.write_table(table, partial, compression="zstd")


def write_tables(path: Path | str, tables: Iterable[pa.Table]) -> None:
    """Write tables of the same schema as the row groups of a Parquet file, so that they need not be in memory at once.

    Raises:
        ValueError: there is no table.
    """
    with new_file(path) as partial:
        writer: pq.ParquetWriter | None = None
        try:
            for table in tables:
                writer = writer or pq.ParquetWriter(partial, table.schema, compression="zstd")
                writer.write_table(table, row_group_size=max(1, len(table)))
        finally:
            if writer:
                writer.close()
        if writer is None:
            raise ValueError(f"{path}: no table to write")


def require(path: Path | str) -> Path:
    """Return the path of an output of an earlier stage, if it exists.

    Raises:
        UserError: the stage has not written it yet.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: no such file; run `dvc repro` to write it")
    return path


def read_json(path: Path | str) -> dict[str, Any]:
    """Read an output of an earlier stage.

    Raises:
        UserError: the stage has not written it yet.
    """
    return json.loads(require(path).read_text(encoding="utf-8"))


def read_parquet(path: Path | str) -> pd.DataFrame:
    """Read an output of an earlier stage.

    Raises:
        UserError: the stage has not written it yet.
    """
    return pd.read_parquet(require(path))


def _refuse_not_finite(values: Any, where: str) -> None:
    if isinstance(values, dict):
        for key, value in values.items():
            _refuse_not_finite(value, f"{where}: {key}")
    elif isinstance(values, list | tuple):
        for position, value in enumerate(values):
            _refuse_not_finite(value, f"{where}[{position}]")
    elif isinstance(values, float) and not math.isfinite(values):
        raise ValueError(f"{where} is {values}; only finite numbers are written: list it as skipped, with the reason")
