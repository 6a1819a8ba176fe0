"""Images packed into Parquet shards of 1,000 JPEGs, and the store that reads them by item.

By rule: upright (EXIF), RGB, at most `image_size` on the longest side, JPEG of quality 90; transparent pixels become
white, of an animation the first frame is taken; a JPEG that needs none of this keeps its bytes. What is truncated, is no
image or has more than 50 million pixels is refused by name.
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
ROW_GROUP_ITEMS = 16  # are read for one: fewer, and what Parquet keeps of a million groups fills the memory
PIXEL_LIMIT = 50_000_000  # more is taken for a decompression bomb
JPEG_QUALITY = 90
EXIF_ORIENTATION = 0x0112
SCHEMA = pa.schema(
    [
        ("item_id", pa.string()),
        ("jpeg", pa.binary()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("source_sha256", pa.string()),  # of the file as it was found
    ]
)


def pack_images(
    folder: Path, names: Mapping[str, str], image: Callable[[str], bytes], image_size: int, work: Path | None = None
) -> None:
    """Writes `00000.parquet`, `00001.parquet`, … to an existing folder, in the order of `names`.

    Args:
        names: item_id -> the image's name, for messages.
        image: item_id -> the image's bytes.
        image_size: longest side in pixels.
        work: where finished shards of an earlier try lie, and this one's are kept until all are there.

    Raises:
        UserError: an image is truncated, is none, or has too many pixels.
    """
    work, items = work or folder, list(names)
    shards = {
        f"{first // SHARD_ITEMS:05d}.parquet": items[first : first + SHARD_ITEMS]
        for first in range(0, len(items), SHARD_ITEMS)
    }
    with ThreadPoolExecutor(os.cpu_count()) as pool, open_bar("packing images", len(items), "image") as progress:
        for name, members in shards.items():
            if not (work / name).exists():
                _write_shard(
                    work / name, pool.map(lambda item: (item, *pack(image(item), image_size, names[item])), members)
                )
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


def pack(data: bytes, image_size: int, name: str) -> tuple[bytes, int, int, str]:
    """JPEG, width, height, and the hash of what it was made from; see `shrink`."""
    return *shrink(data, image_size, name), hashlib.sha256(data).hexdigest()


def shrink(data: bytes, image_size: int, name: str) -> tuple[bytes, int, int]:
    """JPEG, width and height, the longest side at most `image_size`; a JPEG that is small enough keeps its bytes.

    Raises:
        UserError: the data is truncated, is no image, or has more than 50 million pixels; the message has `name`.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.width * picture.height > PIXEL_LIMIT:
                raise UserError(
                    f"{name}: {picture.width} × {picture.height} pixels, at most {PIXEL_LIMIT:,} are read; shrink it or remove it"
                )
            turned = picture.getexif().get(EXIF_ORIENTATION, 1) != 1
            as_wanted = picture.format == "JPEG" and picture.mode == "RGB" and not turned
            if as_wanted and max(picture.size) <= image_size:
                picture.load()  # finds truncated files
                return data, picture.width, picture.height
            return _encode(picture, image_size)
    except Image.DecompressionBombError as error:
        raise UserError(f"{name}: {error}; shrink it or remove it") from None
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else f"truncated or damaged: {error}"
        raise UserError(
            f"{name}: {reason} ({len(data):,} bytes); fetch the file again, or remove it and the article counts as one without an image"
        ) from None


def _encode(picture: Image.Image, image_size: int) -> tuple[bytes, int, int]:
    picture.draft("RGB", (image_size, image_size))  # JPEG: decoded at a fraction of its size, four times as fast
    upright = _without_alpha(_in_8_bits(ImageOps.exif_transpose(picture))).convert("RGB")
    upright.thumbnail((image_size, image_size), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    upright.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue(), upright.width, upright.height


def _in_8_bits(picture: Image.Image) -> Image.Image:
    """Grey of 16 bits scaled down: `convert` would cut it off at 255, and all but black would be white."""
    if not picture.mode.startswith("I"):
        return picture
    grey = np.asarray(picture, dtype=np.float64)
    return Image.fromarray((grey / 257).clip(0, 255).round().astype(np.uint8))


def _without_alpha(picture: Image.Image) -> Image.Image:
    """On white where it is transparent: `convert` would show whatever colour lies hidden there."""
    if not picture.has_transparency_data:
        return picture
    layer = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)


class ImageStore:
    """The packed images of a folder: `store[item_id]` is an RGB picture. Several threads may read at once.

    No two threads share a reader, because pyarrow's `ParquetFile` crashes or hangs when two threads read from it. A
    reader is opened for one row group and closed again: with 8 threads and 130 shards, readers that stay open would
    exceed the 1,024 files that a process may have open. Threads share the parsed footers, which nothing changes.

    Raises:
        UserError: the folder holds no shards.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        shards = sorted(self.folder.glob("*.parquet"))
        if not shards:
            raise UserError(f"{folder}: no packed images; run `dvc repro catalogue_prepare`")
        self._place: dict[str, tuple[Path, int, int]] = {}  # item_id -> shard, row group, row in it
        self._footers: dict[Path, pq.FileMetaData] = {}
        for shard in shards:
            with pq.ParquetFile(shard, memory_map=True) as file:
                self._footers[shard] = file.metadata
                self._place.update(_places(file, shard))
        self.ids: list[str] = list(self._place)
        self._last = _LastGroup()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_last"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _last=_LastGroup())

    def __len__(self) -> int:
        return len(self.ids)

    def require(self, ids: Sequence[str]) -> None:
        """Raises UserError unless each of these items has a picture."""
        without = [item for item in ids if item not in self]
        if without:
            raise UserError(
                f"{self.folder}: {len(without)} of {len(ids)} items have no picture, first {first_five(without)}; "
                "run `dvc repro catalogue_prepare`, which keeps the articles that have one"
            )

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._place

    def __getitem__(self, item_id: str) -> Image.Image:
        image = Image.open(io.BytesIO(self.jpeg(item_id)))
        image.load()
        return image if image.mode == "RGB" else image.convert("RGB")

    def jpeg(self, item_id: str) -> bytes:
        """The image as it is stored, from the memory-mapped shard."""
        shard, group, row = self._place[item_id]
        if self._last.place != (shard, group):
            self._last.images = self._row_group(shard, group)
            self._last.place = shard, group
        return self._last.images[row].as_py()

    def _row_group(self, shard: Path, group: int) -> pa.ChunkedArray:
        with pq.ParquetFile(shard, metadata=self._footers[shard], memory_map=True) as file:
            return file.read_row_group(group, columns=["jpeg"])["jpeg"]


class _LastGroup(threading.local):
    """The row group that each thread read last, because the next item is often in it."""

    place: tuple[Path, int] | None = None  # shard and number of the row group
    images: pa.ChunkedArray


def _places(file: pq.ParquetFile, shard: Path) -> Iterator[tuple[str, tuple[Path, int, int]]]:
    """Each item of a shard, its row group, and its row there."""
    ids = iter(file.read(columns=["item_id"])["item_id"].to_pylist())
    for group in range(file.num_row_groups):
        for row in range(file.metadata.row_group(group).num_rows):
            yield next(ids), (shard, group, row)
