"""Feature files: one float16 array and the ids of its rows. Rows are found by id, never by position."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.outputs import new_folder


@dataclass(frozen=True)
class Features:
    """`array[i]` belongs to `ids[i]`; array: (n_items, dim)."""

    ids: tuple[str, ...]
    array: np.ndarray

    def rows(self, ids: Sequence[str]) -> np.ndarray:
        """The rows of these ids, in their order: (len(ids), dim), float32.

        Raises:
            UserError: an id has no row.
        """
        place = {item: row for row, item in enumerate(self.ids)}
        missing = [item for item in ids if item not in place]
        if missing:
            raise UserError(
                f"{len(missing)} of {len(ids)} items have no features, first {missing[0]}; run `dvc repro` to extract them"
            )
        return self.array[[place[item] for item in ids]].astype(np.float32)


def write_features(folder: Path | str, ids: Sequence[str], array: np.ndarray) -> None:
    """Writes `features.npy` (float16) and `ids.txt` (one id a line).

    Raises:
        ValueError: rows and ids differ in number, an id comes twice, or a value does not fit float16.
    """
    if len(ids) != len(array) or len(set(ids)) != len(ids):
        raise ValueError(f"{folder}: {len(array)} rows for {len(ids)} ids, {len(set(ids))} of them distinct")
    half = np.asarray(array).astype(np.float16)
    if not np.isfinite(half).all():
        raise ValueError(f"{folder}: a feature is not finite in float16")
    with new_folder(folder) as partial:
        np.save(partial / "features.npy", half, allow_pickle=False)
        (partial / "ids.txt").write_text("".join(f"{item}\n" for item in ids), encoding="utf-8")


def read_features(folder: Path | str) -> Features:
    """The features of a folder, memory-mapped."""
    folder = Path(folder)
    ids = tuple((folder / "ids.txt").read_text(encoding="utf-8").splitlines())
    return Features(ids, np.load(folder / "features.npy", mmap_mode="r", allow_pickle=False))
