"""Images packed into Parquet shards of 1,000 JPEGs, and the store that reads them by item."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.errors import UserError
from pipeline.progress import track

SHARD_ITEMS = 1_000
ROW_GROUP_ITEMS = 50  # what is read together when one image is asked for
CACHED_ROW_GROUPS = 256
PIXEL_LIMIT = 50_000_000  # more is taken for a decompression bomb
JPEG_QUALITY = 90
THREADS = 2
EXIF_ORIENTATION = 0x0112
Item = TypeVar("Item")
SCHEMA = pa.schema([("item_id", pa.string()), ("jpeg", pa.binary()), ("width", pa.int32()), ("height", pa.int32())])


def pack_images(folder: Path, names: Mapping[str, str], image: Callable[[str], bytes], image_size: int) -> None:
    """Writes `00000.parquet`, `00001.parquet`, … to an existing folder, in the order of `names`.

    Args:
        names: item_id -> the image's name, for messages.
        image: item_id -> the image's bytes.
        image_size: longest side in pixels.

    Raises:
        UserError: an image is truncated, is none, or has too many pixels.
    """
    shrunk = track(_shrink_all(names, image, image_size), "packing images", total=len(names), unit="image")
    for number, rows in enumerate(_runs(shrunk, SHARD_ITEMS)):
        table = pa.Table.from_pylist([dict(zip(SCHEMA.names, row, strict=True)) for row in rows], schema=SCHEMA)
        pq.write_table(table, folder / f"{number:05d}.parquet", row_group_size=ROW_GROUP_ITEMS, compression="none")


def _shrink_all(
    names: Mapping[str, str], image: Callable[[str], bytes], image_size: int
) -> Iterator[tuple[str, bytes, int, int]]:
    with ThreadPoolExecutor(THREADS) as pool:
        for items in _runs(names, ROW_GROUP_ITEMS):
            data = [image(item) for item in items]
            sized = pool.map(
                lambda pair: shrink(pair[0], image_size, pair[1]),
                zip(data, [names[item] for item in items], strict=True),
            )
            yield from ((item, *row) for item, row in zip(items, sized, strict=True))


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
            if picture.format == "JPEG" and not turned and max(picture.size) <= image_size:
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
    upright = ImageOps.exif_transpose(picture).convert("RGB")
    upright.thumbnail((image_size, image_size), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    upright.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue(), upright.width, upright.height


def _runs(items: Iterable[Item], length: int) -> Iterator[tuple[Item, ...]]:
    rest = iter(items)
    while run := tuple(islice(rest, length)):
        yield run


class ImageStore:
    """The packed images of a folder: `store[item_id]` is an RGB picture.

    Raises:
        UserError: the folder holds no shards.
    """

    def __init__(self, folder: Path | str) -> None:
        shards = sorted(Path(folder).glob("*.parquet"))
        if not shards:
            raise UserError(f"{folder}: no packed images; run `dvc repro catalogue_prepare`")
        self._place = dict(_places(shards))
        self.ids: list[str] = list(self._place)
        self._cache: dict[tuple[Path, int], list[bytes]] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, item_id: object) -> bool:
        return item_id in self._place

    def __getitem__(self, item_id: str) -> Image.Image:
        return Image.open(io.BytesIO(self.jpeg(item_id))).convert("RGB")

    def jpeg(self, item_id: str) -> bytes:
        """The image as it is stored."""
        shard, row = self._place[item_id]
        group = (shard, row // ROW_GROUP_ITEMS)
        if group not in self._cache:
            if len(self._cache) >= CACHED_ROW_GROUPS:
                self._cache.pop(next(iter(self._cache)))  # the oldest
            self._cache[group] = pq.ParquetFile(shard).read_row_group(group[1], columns=["jpeg"])["jpeg"].to_pylist()
        return self._cache[group][row % ROW_GROUP_ITEMS]


def _places(shards: Iterable[Path]) -> Iterator[tuple[str, tuple[Path, int]]]:
    for shard in shards:
        for row, item in enumerate(pq.read_table(shard, columns=["item_id"])["item_id"].to_pylist()):
            yield item, (shard, row)
