"""Packs images into Parquet shards of 1,000 JPEGs, and reads them by item.

catalogue/prepared/jpeg.py says what a packed image is.
"""

import hashlib
import io
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from catalogue.prepared.jpeg import shrink
from pipeline.core.errors import SHOWN, UserError, first_five
from pipeline.core.outputs import new_file
from pipeline.core.progress import open_bar

SHARD_ITEMS = 1_000
FOOTERS = 1_024  # of shards, kept in memory: each takes about as much as its row groups
ROW_GROUP_ITEMS = 16  # are read for each image; with fewer, what Parquet keeps of a million groups fills the memory
SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("jpeg", pa.binary()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("source_sha256", pa.string()),  # of the raw file
    ]
)


def pack_images(
    folder: Path,
    names: Mapping[str, str],
    read_image: Callable[[str], bytes],
    image_size: int,
    work: Path | None = None,
    threads: int | None = None,
) -> None:
    """Write `00000.parquet`, `00001.parquet`, … to an existing folder, in the order of `names`.

    Args:
        folder: Where the shards go.
        names: item_id -> the image's name, for messages.
        read_image: item_id -> the image's bytes.
        image_size: The longest side, in pixels.
        work: Holds finished shards until all are complete; shards of an earlier try are not packed again.
        threads: That read and compress pictures; one for each CPU by default.

    Raises:
        UserError: images are truncated, are not images, or have too many pixels; the message counts them and has the
            first five. All are tried, so that one try shows all that is wrong.
    """
    work, items = work or folder, list(names)
    shards = divide_into_shards(items)
    refused: list[str] = []

    def pack(item: str) -> tuple[Any, ...] | None:
        try:
            return item, *_pack(read_image(item), image_size, names[item])
        except UserError as error:
            refused.append(str(error))
            return None

    with (
        ThreadPoolExecutor(threads or os.cpu_count()) as pool,
        open_bar("packing images", len(items), "image") as progress,
    ):
        for name, members in shards.items():
            if not (work / name).exists():
                rows = list(pool.map(pack, members))
                if None not in rows:
                    _write_shard(work / name, (row for row in rows if row))
            progress.update(len(members))
    if refused:
        raise UserError(_list_refused(sorted(refused)))
    if work != folder:
        for name in shards:
            shutil.move(work / name, folder / name)


def divide_into_shards(items: Sequence[str]) -> dict[str, Sequence[str]]:
    """Return the file name of each shard and its items, in their order."""
    return {
        f"{first // SHARD_ITEMS:05d}.parquet": items[first : first + SHARD_ITEMS]
        for first in range(0, len(items), SHARD_ITEMS)
    }


def _list_refused(messages: Sequence[str]) -> str:
    """Join the first five messages under their number; one alone stays as it is."""
    if len(messages) == 1:
        return messages[0]
    more = ["  …"] if len(messages) > SHOWN else []
    lines = [f"{len(messages)} pictures cannot be read", *(f"  {text}" for text in messages[:SHOWN]), *more]
    return "\n".join(lines)


def _write_shard(path: Path, rows: Iterator[tuple[Any, ...]]) -> None:
    columns = zip(*rows, strict=True)
    table = pa.table([pa.array(values, kind.type) for values, kind in zip(columns, SCHEMA, strict=True)], schema=SCHEMA)
    with new_file(path) as partial:
        pq.write_table(
            table,
            partial,
            row_group_size=ROW_GROUP_ITEMS,
            compression="none",
            use_dictionary=False,
            write_statistics=False,
        )


def _pack(data: bytes, image_size: int, name: str) -> tuple[bytes, int, int, str]:
    """Return JPEG, width, height, and the hash of the raw file; see `shrink`."""
    return *shrink(data, image_size, name), hashlib.sha256(data).hexdigest()


class ImageStore:
    """Reads the packed images of a folder: `store[item_id]` is an RGB picture. Several threads may read at once.

    No two threads share a reader, because pyarrow's `ParquetFile` crashes or hangs when two threads read from it. A
    reader is opened for a row group and closed again: with 8 threads and 130 shards, readers that stay open would
    exceed the 1,024 files that a process may have open. Threads share the parsed footers, which nothing changes. In
    memory an item takes the bytes of its id, 10 to 20; in a dictionary it took 154.

    Raises:
        UserError: the folder holds no shards.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        shards = sorted(self.folder.glob("*.parquet"))
        if not shards:
            raise UserError(f"{folder}: no packed images; run `dvc repro catalogue_prepare`")
        self._shards = shards
        ids, n_groups, sizes = [], [0], []
        for shard in shards:
            with pq.ParquetFile(shard, memory_map=True) as file:
                names = file.read(columns=["item_id"])["item_id"].to_pylist()
                ids.append(np.array([name.encode() for name in names], dtype="S"))
                sizes += [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
                n_groups.append(len(sizes))
        self._first_group = np.array(n_groups)  # of each shard, among the row groups of all
        self._first_row = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])  # of each row group, among all rows
        found = np.concatenate(ids)  # as bytes of one length: a tenth of what a dictionary takes
        self._order = None if (found[1:] > found[:-1]).all() else np.argsort(found, kind="stable")
        self._sorted = found if self._order is None else found[self._order]
        self._read_footer = _keep_footers()
        self._last = _LastGroup()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_last", "_read_footer")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _last=_LastGroup(), _read_footer=_keep_footers())

    def __len__(self) -> int:
        return len(self._sorted)

    @property
    def ids(self) -> list[str]:
        """The items in the order of the shards and their rows."""
        rows = np.arange(len(self)) if self._order is None else np.argsort(self._order)
        return [item.decode() for item in self._sorted[rows].tolist()]

    def require(self, ids: Sequence[str]) -> None:
        """Refuse items that have no picture.

        Raises:
            UserError: an item has none; the message names the first five.
        """
        missing = [item for item in ids if item not in self]
        if missing:
            raise UserError(
                f"{self.folder}: {len(missing)} of {len(ids)} items have no picture, first {first_five(missing)}; "
                "run `dvc repro catalogue_prepare`, which keeps the articles that have one"
            )

    def __contains__(self, item_id: object) -> bool:
        return isinstance(item_id, str) and self._find_row(item_id) is not None

    def __getitem__(self, item_id: str) -> Image.Image:
        image = Image.open(io.BytesIO(self.read_jpeg(item_id)))
        image.load()
        return image if image.mode == "RGB" else image.convert("RGB")

    def read_jpeg(self, item_id: str) -> bytes:
        """Read the bytes of an image from the memory-mapped shard."""
        row = self._find_row(item_id)
        if row is None:
            raise KeyError(item_id)
        group = int(np.searchsorted(self._first_row, row, side="right")) - 1
        if self._last.group != group:
            self._last.images = self._read_group(group)
            self._last.group = group
        return self._last.images[row - int(self._first_row[group])].as_py()

    def _find_row(self, item_id: str) -> int | None:
        """Return the row of an item among those of all shards, or None."""
        key = item_id.encode(errors="surrogatepass")  # no packed item has one, but a caller may ask
        position = int(np.searchsorted(self._sorted, key)) if len(key) <= self._sorted.dtype.itemsize else len(self)
        if position == len(self) or self._sorted[position] != key:
            return None
        return position if self._order is None else int(self._order[position])

    def _read_group(self, group: int) -> pa.ChunkedArray:
        number = int(np.searchsorted(self._first_group, group, side="right")) - 1
        shard = self._shards[number]
        with pq.ParquetFile(shard, metadata=self._read_footer(shard), memory_map=True) as file:
            return file.read_row_group(group - int(self._first_group[number]), columns=["jpeg"])["jpeg"]


class _LastGroup(threading.local):
    """Keeps the row group that each thread read last, because the next item is often in it."""

    group: int | None = None  # its number, among those of all shards
    images: pa.ChunkedArray


def _keep_footers() -> Callable[[Path], pq.FileMetaData]:
    """Return what reads the footer of a shard, and keeps those that were read last."""
    return lru_cache(maxsize=FOOTERS)(partial(pq.read_metadata, memory_map=True))
