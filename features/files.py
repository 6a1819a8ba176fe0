"""Feature files: one float16 array and the ids of its rows. Rows are found by id, never by position.

An array may be larger than memory: it is written block by block, mapped when it is read, and rows are taken as they are
needed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.core.errors import UserError, first_five
from pipeline.core.outputs import new_folder

BLOCK_BYTES = 64_000_000  # of float32 taken from an array at once


@dataclass(frozen=True)
class Rows:
    """Some rows of an array, in an order of their own, without a copy: row r is `array[place[r]]`."""

    array: np.ndarray  # (n_stored, dim), mapped or in memory
    place: np.ndarray  # (n,) int64
    source: str = "features"  # where they are from, for messages

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.place), self.array.shape[1]

    def __len__(self) -> int:
        return len(self.place)

    def take(self, rows: np.ndarray) -> np.ndarray:
        """(len(rows), dim) float32."""
        return self.array[self.place[rows]].astype(np.float32)

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """All rows in order, some at a time: where they belong, and (n_block, dim) float32."""
        size = max(1, BLOCK_BYTES // (4 * max(1, self.shape[1])))
        for start in range(0, len(self), size):
            yield slice(start, start + size), self.take(np.arange(start, min(start + size, len(self))))


def rows_of(array: np.ndarray) -> Rows:
    """Every row of an array."""
    return Rows(array, np.arange(len(array)))


@dataclass(frozen=True)
class Features:
    """`array[i]` belongs to `ids[i]`; array: (n_items, dim)."""

    ids: tuple[str, ...]
    array: np.ndarray
    source: str = "features"  # where they are from, for messages

    def of(self, ids: Sequence[str]) -> Rows:
        """The rows of these ids, in their order; nothing is read yet.

        Raises:
            UserError: an id has no row.
        """
        place = {item: row for row, item in enumerate(self.ids)}
        missing = [item for item in ids if item not in place]
        if missing:
            raise UserError(
                f"{self.source}: {len(missing)} of {len(ids)} items have no features, first {first_five(missing)}; "
                "run `dvc repro` to extract them"
            )
        return Rows(self.array, np.array([place[item] for item in ids], dtype=np.int64), self.source)

    def rows(self, ids: Sequence[str]) -> np.ndarray:
        """The rows of these ids, in their order: (len(ids), dim), float32.

        Raises:
            UserError: an id has no row.
        """
        return self.of(ids).take(np.arange(len(ids)))


def write_features(folder: Path | str, ids: Sequence[str], array: np.ndarray | Iterable[np.ndarray]) -> None:
    """Writes `features.npy` (float16) and `ids.txt` (one id a line).

    Args:
        array: (n, dim), or such arrays that follow on each other, so that all of them need not be in memory.

    Raises:
        ValueError: rows and ids differ in number, an id comes twice, or a value does not fit float16.
    """
    if len(set(ids)) != len(ids):
        raise ValueError(f"{folder}: {len(ids)} ids, {len(set(ids))} of them distinct")
    with new_folder(folder) as partial:
        _write_array(partial / "features.npy", len(ids), [array] if isinstance(array, np.ndarray) else array, folder)
        (partial / "ids.txt").write_text("".join(f"{item}\n" for item in ids), encoding="utf-8")


def _write_array(path: Path, n: int, blocks: Iterable[np.ndarray], folder: Path | str) -> None:
    """The same bytes as `np.save` of all the blocks one after another."""
    written, begun = 0, False
    with open(path, "wb") as file:
        for block in blocks:
            half = np.ascontiguousarray(block).astype(np.float16)
            if not begun:
                header = {"descr": "<f2", "fortran_order": False, "shape": (n, *half.shape[1:])}
                np.lib.format.write_array_header_1_0(file, header)
                begun = True
            if not np.isfinite(half).all():
                row = int((~np.isfinite(half)).reshape(len(half), -1).any(1).argmax())
                raise ValueError(f"{folder}: a feature of row {written + row} is not finite in float16")
            file.write(half.tobytes())
            written += len(half)
    if written != n:
        raise ValueError(f"{folder}: {written} rows for {n} ids")


def read_features(folder: Path | str) -> Features:
    """The features of a folder, memory-mapped.

    Raises:
        UserError: a file is missing, the array is no table of numbers, or its rows are not those of the ids.
    """
    folder = Path(folder)
    missing = [name for name in ("features.npy", "ids.txt") if not (folder / name).is_file()]
    if missing:
        raise UserError(
            f"{folder}: no {' and no '.join(missing)}; expected features.npy (n_items, dim), and ids.txt with the id of each "
            "of its rows, one a line"
        )
    ids = tuple((folder / "ids.txt").read_text(encoding="utf-8").splitlines())
    try:
        array = np.load(folder / "features.npy", mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise UserError(f"{folder}/features.npy: cannot be read as a NumPy array: {error}") from None
    if array.ndim != 2 or array.dtype.kind not in "fiu":
        raise UserError(
            f"{folder}/features.npy: expected numbers of shape (n_items, dim), found {array.dtype} of shape {array.shape}"
        )
    if len(array) != len(ids):
        raise UserError(
            f"{folder}: {len(array):,} rows for {len(ids):,} ids, so which row is whose cannot be told; extract them again"
        )
    return Features(ids, array, str(folder))
