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
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from catalogue.prepared.jpeg import shrink
from pipeline.core.errors import SHOWN, UserError, first_five
from pipeline.core.outputs import new_file
from pipeline.core.progress import open_bar

SHARD_ITEMS = 1_000
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
) -> None:
    """Write `00000.parquet`, `00001.parquet`, … to an existing folder, in the order of `names`.

    Args:
        folder: Where the shards go.
        names: item_id -> the image's name, for messages.
        read_image: item_id -> the image's bytes.
        image_size: The longest side, in pixels.
        work: Holds finished shards until all are complete; shards of an earlier try are not packed again.

    Raises:
        UserError: images are truncated, are not images, or have too many pixels; the message counts them and has the
            first five. All are tried, so that one try shows all that is wrong.
    """
    work, items = work or folder, list(names)
    shards = {
        f"{first // SHARD_ITEMS:05d}.parquet": items[first : first + SHARD_ITEMS]
        for first in range(0, len(items), SHARD_ITEMS)
    }
    refused: list[str] = []

    def pack(item: str) -> tuple[Any, ...] | None:
        try:
            return item, *_pack(read_image(item), image_size, names[item])
        except UserError as error:
            refused.append(str(error))
            return None

    with ThreadPoolExecutor(os.cpu_count()) as pool, open_bar("packing images", len(items), "image") as progress:
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
    exceed the 1,024 files that a process may have open. Threads share the parsed footers, which nothing changes.

    Raises:
        UserError: the folder holds no shards.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        shards = sorted(self.folder.glob("*.parquet"))
        if not shards:
            raise UserError(f"{folder}: no packed images; run `dvc repro catalogue_prepare`")
        self._rows: dict[str, tuple[Path, int, int]] = {}  # item_id -> shard, row group, row in it
        self._footers: dict[Path, pq.FileMetaData] = {}
        for shard in shards:
            with pq.ParquetFile(shard, memory_map=True) as file:
                self._footers[shard] = file.metadata
                self._rows.update(_locate_rows(file, shard))
        self.ids: list[str] = list(self._rows)
        self._last = _LastGroup()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_last"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _last=_LastGroup())

    def __len__(self) -> int:
        return len(self.ids)

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
        return item_id in self._rows

    def __getitem__(self, item_id: str) -> Image.Image:
        image = Image.open(io.BytesIO(self.read_jpeg(item_id)))
        image.load()
        return image if image.mode == "RGB" else image.convert("RGB")

    def read_jpeg(self, item_id: str) -> bytes:
        """Read the bytes of an image from the memory-mapped shard."""
        shard, group, row = self._rows[item_id]
        if self._last.key != (shard, group):
            self._last.images = self._read_group(shard, group)
            self._last.key = shard, group
        return self._last.images[row].as_py()

    def _read_group(self, shard: Path, group: int) -> pa.ChunkedArray:
        with pq.ParquetFile(shard, metadata=self._footers[shard], memory_map=True) as file:
            return file.read_row_group(group, columns=["jpeg"])["jpeg"]


class _LastGroup(threading.local):
    """Keeps the row group that each thread read last, because the next item is often in it."""

    key: tuple[Path, int] | None = None  # shard and number of the row group
    images: pa.ChunkedArray


def _locate_rows(file: pq.ParquetFile, shard: Path) -> Iterator[tuple[str, tuple[Path, int, int]]]:
    """Yield each item of a shard with the shard, its row group, and its row there."""
    ids = iter(file.read(columns=["item_id"])["item_id"].to_pylist())
    for group in range(file.num_row_groups):
        for row in range(file.metadata.row_group(group).num_rows):
            yield next(ids), (shard, group, row)
