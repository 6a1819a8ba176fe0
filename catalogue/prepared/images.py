"""Packs images into Parquet shards of 1,000 JPEGs, and reads them by item.

A packed image is upright (EXIF), RGB, at most `image_size` pixels on the longest side, and a JPEG of quality 90.
Transparent pixels become white; of an animation the first frame is taken. A JPEG that is so already keeps its bytes. A
file that is truncated, is not an image or has more than 50 million pixels is refused by name.
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

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.core.errors import UserError, first_five
from pipeline.core.outputs import new_file
from pipeline.core.progress import open_bar

SHARD_ITEMS = 1_000
ROW_GROUP_ITEMS = 16  # are read for each image; with fewer, what Parquet keeps of a million groups fills the memory
PIXEL_LIMIT = 50_000_000  # a larger image may be a decompression bomb
JPEG_QUALITY = 90
EXIF_ORIENTATION = 0x0112
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
        UserError: an image is truncated, is not an image, or has too many pixels.
    """
    work, items = work or folder, list(names)
    shards = {
        f"{first // SHARD_ITEMS:05d}.parquet": items[first : first + SHARD_ITEMS]
        for first in range(0, len(items), SHARD_ITEMS)
    }
    with ThreadPoolExecutor(os.cpu_count()) as pool, open_bar("packing images", len(items), "image") as progress:
        for name, members in shards.items():
            if not (work / name).exists():
                rows = pool.map(lambda item: (item, *_pack(read_image(item), image_size, names[item])), members)
                _write_shard(work / name, rows)
            progress.update(len(members))
    if work != folder:
        for name in shards:
            shutil.move(work / name, folder / name)


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


def shrink(data: bytes, image_size: int, name: str) -> tuple[bytes, int, int]:
    """Return JPEG, width and height, the longest side at most `image_size`; a JPEG that is so already keeps its bytes.

    Raises:
        UserError: the data is truncated, is not an image, or has more than 50 million pixels; the message has `name`.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.width * picture.height > PIXEL_LIMIT:
                raise UserError(
                    f"{name}: {picture.width} × {picture.height} pixels, at most {PIXEL_LIMIT:,} are read; "
                    "shrink it or remove it"
                )
            is_upright = picture.getexif().get(EXIF_ORIENTATION, 1) == 1
            is_rgb_jpeg = picture.format == "JPEG" and picture.mode == "RGB"
            if is_rgb_jpeg and is_upright and max(picture.size) <= image_size:
                picture.load()  # fails if the file is truncated
                return data, picture.width, picture.height
            return _encode(picture, image_size)
    except Image.DecompressionBombError as error:
        raise UserError(f"{name}: {error}; shrink it or remove it") from None
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else f"truncated or damaged: {error}"
        raise UserError(
            f"{name}: {reason} ({len(data):,} bytes); fetch the file again, or remove it: its article then counts as "
            "an article without an image"
        ) from None


def _encode(picture: Image.Image, image_size: int) -> tuple[bytes, int, int]:
    picture.draft("RGB", (image_size, image_size))  # decodes a JPEG at a fraction of its size, four times as fast
    upright = _without_alpha(_in_8_bits(ImageOps.exif_transpose(picture))).convert("RGB")
    upright.thumbnail((image_size, image_size), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    upright.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue(), upright.width, upright.height


def _in_8_bits(picture: Image.Image) -> Image.Image:
    """Scale grey of 16 bits down, because `convert` cuts it off at 255, which makes all but black white."""
    if not picture.mode.startswith("I"):
        return picture
    grey = np.asarray(picture, dtype=np.float64)
    return Image.fromarray((grey / 257).clip(0, 255).round().astype(np.uint8))


def _without_alpha(picture: Image.Image) -> Image.Image:
    """Put the picture on white where it is transparent, because `convert` shows the hidden colour of those pixels."""
    if not picture.has_transparency_data:
        return picture
    layer = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)


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
