"""Feature files: one float16 array and the ids of its rows. Rows are selected by id, never by position.

An array may be larger than memory: it is written block by block and memory-mapped when it is read. A folder whose rows
hold a picture and words says in `columns.json` how many columns, from the left, are the picture's.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from pipeline.core.errors import UserError, first_five
from pipeline.core.outputs import new_folder, write_json

BLOCK_BYTES = 64_000_000  # of float32 taken from an array at once
LAYOUT = "columns.json"  # {"pictures": n}


@dataclass(frozen=True)
class Rows:
    """Selects rows of an array, in any order, without a copy: row r is `array[index[r]]`."""

    array: np.ndarray  # (n_stored, dim), mapped or in memory
    index: np.ndarray  # (n,) int64
    source: str = "features"  # the folder, for messages
    n_pictures: int = 0  # how many columns, from the left, are the picture's; 0: the folder tells no picture from words

    @property
    def shape(self) -> tuple[int, int]:
        """Return (n, dim)."""
        return len(self.index), self.array.shape[1]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.index)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Read these rows: (len(rows), dim) float32."""
        return self.array[self.index[rows]].astype(np.float32)

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield all rows in order, block by block: the slice of the rows, and (n_block, dim) float32."""
        size = max(1, BLOCK_BYTES // (4 * max(1, self.shape[1])))
        for start in range(0, len(self), size):
            yield slice(start, start + size), self.take(np.arange(start, min(start + size, len(self))))

    def find_different(self) -> tuple["Rows", np.ndarray]:
        """Return the rows that differ, each where it first comes, and for every row its number among them: (n,) int64.

        What is computed of rows in blocks may differ in the last digits where they are equal: compute it of these.
        """
        number = number_rows(block for _, block in self.blocks())
        first = np.unique(number, return_index=True)[1]
        return Rows(self.array, self.index[first], self.source, self.n_pictures), number

    def divide(self, widths: Mapping[str, int]) -> dict[str, "Rows"]:
        """Divide the columns, from the left, into parts of these widths, by name; nothing is read or copied.

        Raises:
            ValueError: the widths do not add up to the number of columns.
        """
        if sum(widths.values()) != self.shape[1]:
            raise ValueError(f"{self.source}: {self.shape[1]} columns for parts of {dict(widths)}")
        ends = np.cumsum(list(widths.values())).tolist()
        return {
            name: Rows(self.array[:, end - width : end], self.index, self.source)
            for (name, width), end in zip(widths.items(), ends, strict=True)
        }


def number_rows(blocks: Iterable[np.ndarray]) -> np.ndarray:
    """Number rows from 0 in the order in which they first come; equal rows have one number: (n,) int64.

    >>> number_rows([np.array([[1.0, 2.0], [0.0, 3.0]]), np.array([[1.0, 2.0], [-0.0, 3.0]])]).tolist()
    [0, 1, 0, 1]

    Args:
        blocks: of rows, (n_block, dim) each.
    """
    numbers: dict[bytes, int] = {}
    rows = (row for block in blocks for row in np.ascontiguousarray(block + 0.0))  # + 0 turns −0 into 0
    digests = (hashlib.blake2b(row, digest_size=16).digest() for row in rows)
    return np.array([numbers.setdefault(digest, len(numbers)) for digest in digests], dtype=np.int64)


def all_rows(array: np.ndarray) -> Rows:
    """Select every row of an array."""
    return Rows(array, np.arange(len(array)))


@dataclass(frozen=True)
class Features:
    """Holds the features of items: `array[i]` belongs to `ids[i]`."""

    ids: tuple[str, ...]
    array: np.ndarray  # (n_items, dim)
    source: str = "features"  # the folder, for messages
    n_pictures: int = 0  # as of `Rows`

    def select(self, ids: Sequence[str]) -> Rows:
        """Select the rows of these ids, in their order; nothing is read yet.

        Raises:
            UserError: an id has no row.
        """
        row_of_item = {item: row for row, item in enumerate(self.ids)}
        missing = [item for item in ids if item not in row_of_item]
        if missing:
            raise UserError(
                f"{self.source}: {len(missing)} of {len(ids)} items have no features, first {first_five(missing)}; "
                "run `dvc repro` to extract them"
            )
        index = np.array([row_of_item[item] for item in ids], dtype=np.int64)
        return Rows(self.array, index, self.source, self.n_pictures)

    def take(self, ids: Sequence[str]) -> np.ndarray:
        """Read the rows of these ids, in their order: (len(ids), dim), float32.

        Raises:
            UserError: an id has no row.
        """
        return self.select(ids).take(np.arange(len(ids)))


def write_features(folder: Path | str, ids: Sequence[str], array: np.ndarray | Iterable[np.ndarray]) -> None:
    """Write `features.npy` (float16) and `ids.txt` (one id a line).

    Args:
        folder: is replaced.
        ids: of the rows, in their order.
        array: (n, dim), or blocks of rows that follow one another, so that they need not be in memory at once.

    Raises:
        ValueError: the numbers of rows and ids differ, an id occurs twice, or a value does not fit float16.
    """
    if len(set(ids)) != len(ids):
        raise ValueError(f"{folder}: {len(ids)} ids, {len(set(ids))} of them distinct")
    with new_folder(folder) as partial:
        _write_array(partial / "features.npy", len(ids), [array] if isinstance(array, np.ndarray) else array, folder)
        (partial / "ids.txt").write_text("".join(f"{item}\n" for item in ids), encoding="utf-8")


def _write_array(path: Path, n: int, blocks: Iterable[np.ndarray], folder: Path | str) -> None:
    """Write the bytes that `np.save` would write for all blocks, concatenated."""
    written = 0
    with open(path, "wb") as file:
        for block in blocks:
            half = np.ascontiguousarray(block).astype(np.float16)
            if not file.tell():
                header = {"descr": "<f2", "fortran_order": False, "shape": (n, *half.shape[1:])}
                np.lib.format.write_array_header_1_0(file, header)
            if not np.isfinite(half).all():
                row = int((~np.isfinite(half)).reshape(len(half), -1).any(1).argmax())
                raise ValueError(f"{folder}: a feature of row {written + row} is not finite in float16")
            file.write(half.tobytes())
            written += len(half)
    if written != n:
        raise ValueError(f"{folder}: {written} rows for {n} ids")


def load_array(path: Path, mmap_mode: Literal["r"] | None = None) -> np.ndarray:
    """Load an array of numbers.

    Raises:
        UserError: the file is no array of NumPy, is cut off, or holds something other than real numbers.
    """
    try:
        array = np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except Exception as error:  # NumPy evaluates the file's header, which fails in many ways
        raise UserError(f"{path}: cannot be read as a NumPy array: {error}") from None
    if not isinstance(array, np.ndarray):
        raise UserError(f"{path}: cannot be read as a NumPy array: it holds several; write each to a file of its own")
    if array.dtype.kind not in "fiu":
        raise UserError(f"{path}: expected numbers of shape (n_items, dim), found {array.dtype} of shape {array.shape}")
    return array


def _read_ids(path: Path) -> tuple[str, ...]:
    """Read one id a line; a line ends in LF or CRLF, and in nothing else that Unicode calls a line end."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    return tuple(line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")) if text else ()


def write_columns(folder: Path, n_pictures: int) -> None:
    """Write beside features how many columns, from the left, are the picture's."""
    write_json(folder / LAYOUT, {"pictures": n_pictures})


def read_columns(folder: Path, dim: int) -> int:
    """Read how many columns, from the left, are the picture's; 0 where the folder does not say.

    Args:
        folder: of features.
        dim: how many columns there are.

    Raises:
        UserError: `columns.json` names no number of columns.
    """
    path = folder / LAYOUT
    if not path.is_file():
        return 0
    try:
        layout = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise UserError(f'{path}: is no JSON: {error}; expected {{"pictures": NUMBER}}, or no such file') from None
    n_pictures = layout.get("pictures") if isinstance(layout, dict) else None
    if not isinstance(n_pictures, int) or isinstance(n_pictures, bool) or not 0 <= n_pictures <= dim:
        raise UserError(
            f"{path}: pictures: {n_pictures!r} is not allowed; must be a whole number from 0 to {dim}, the columns of "
            "the features: how many of them, from the left, are the picture's"
        )
    return n_pictures


def read_features(folder: Path | str) -> Features:
    """Read the features of a folder, memory-mapped.

    Raises:
        UserError: a file is missing, the array is no table of numbers, the numbers of rows and ids differ, or
            `columns.json` names no number of columns.
    """
    folder = Path(folder)
    missing = [name for name in ("features.npy", "ids.txt") if not (folder / name).is_file()]
    if missing:
        raise UserError(
            f"{folder}: no {' and no '.join(missing)}; expected features.npy of shape (n_items, dim), and "
            "ids.txt with the id of each of its rows, one a line"
        )
    array = load_array(folder / "features.npy", mmap_mode="r")
    ids = _read_ids(folder / "ids.txt")
    if array.ndim != 2:
        raise UserError(
            f"{folder}/features.npy: expected numbers of shape (n_items, dim), found {array.dtype} "
            f"of shape {array.shape}"
        )
    if len(array) != len(ids):
        raise UserError(
            f"{folder}: features.npy has {len(array):,} rows and ids.txt {len(ids):,} ids; the numbers must be equal: "
            "extract the features again"
        )
    return Features(ids, array, str(folder), read_columns(folder, array.shape[1]))
