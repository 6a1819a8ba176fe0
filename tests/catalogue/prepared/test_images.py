"""Packing and reading images: what keeps its bytes, what is refused, and reading from several threads."""

import hashlib
import io
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
from PIL import Image

from catalogue.prepared import images
from catalogue.prepared.images import ImageStore, pack_images, shrink
from pipeline.core.errors import UserError

ROOT = Path(__file__).parents[3]


def encoded(width: int, height: int, kind: str = "JPEG", mode: str = "RGB", **options: object) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def test_a_small_jpeg_keeps_its_bytes() -> None:
    data = encoded(64, 48)
    assert shrink(data, 64, "a.jpg") == (data, 64, 48)


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "CMYK"), ("JPEG", "L"), ("PNG", "RGBA"), ("PNG", "P")]
)
def test_a_large_image_is_shrunk_to_the_longest_side(kind: str, mode: str) -> None:
    data, width, height = shrink(encoded(200, 100, kind, mode), 50, "a")
    picture = Image.open(io.BytesIO(data))
    assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (50, 25))
    assert (width, height) == (50, 25)


@pytest.mark.parametrize(("kind", "mode"), [("JPEG", "CMYK"), ("JPEG", "L"), ("PNG", "RGB"), ("WEBP", "RGBA")])
def test_a_small_image_of_another_kind_becomes_an_rgb_jpeg_of_its_size(kind: str, mode: str) -> None:
    data = encoded(40, 20, kind, mode)
    stored = Image.open(io.BytesIO(shrink(data, 64, "a")[0]))
    assert (stored.format, stored.mode, stored.size) == ("JPEG", "RGB", (40, 20))
    before = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=int)
    assert abs(np.asarray(stored, dtype=int).mean() - before.mean()) < 3


def test_grey_of_16_bits_is_scaled_and_not_cut_off() -> None:
    ramp = np.tile(np.linspace(0, 65_535, 64).astype(np.uint16), (32, 1))
    Image.fromarray(ramp).save(buffer := io.BytesIO(), "PNG")
    stored = np.asarray(Image.open(io.BytesIO(shrink(buffer.getvalue(), 64, "a.png")[0])), dtype=int)[16, :, 0]
    assert np.abs(stored - ramp[16] / 257).max() < 8


def test_a_turned_image_is_stored_upright() -> None:
    exif = Image.Exif()
    exif[images.EXIF_ORIENTATION] = 6
    assert shrink(encoded(60, 40, exif=exif), 64, "a.jpg")[1:] == (40, 60)


@pytest.mark.parametrize("size", [64, 300])
def test_a_truncated_image_is_named(size: int) -> None:
    with pytest.raises(UserError, match=r"images/a\.jpg.*truncated.*fetch the file again"):
        shrink(encoded(size, size)[:-400], 128, "images/a.jpg")


@pytest.mark.parametrize("data", [b"", b"no picture", b"\xff\xd8\xff"])
def test_what_is_no_image_is_named(data: bytes) -> None:
    with pytest.raises(UserError, match=r"a\.jpg: not an image"):
        shrink(data, 128, "a.jpg")


def test_too_many_pixels_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "PIXEL_LIMIT", 1000)
    with pytest.raises(UserError, match=r"a\.jpg: 40 × 30 pixels"):
        shrink(encoded(40, 30), 128, "a.jpg")


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, bytes]]:
    monkeypatch.setattr(images, "SHARD_ITEMS", 100)
    data = {f"{number:010d}": encoded(8 + number % 40, 8) for number in range(230)}
    pack_images(tmp_path, {item: f"{item}.jpg" for item in data}, data.__getitem__, 64)
    return tmp_path, data


def test_every_item_gets_its_own_image_back(packed: tuple[Path, dict[str, bytes]]) -> None:
    folder, data = packed
    store = ImageStore(folder)
    assert [path.name for path in sorted(folder.iterdir())] == ["00000.parquet", "00001.parquet", "00002.parquet"]
    assert (store.ids, len(store)) == (list(data), 230)
    for item in np.random.default_rng(1).permutation(store.ids):
        assert store.read_jpeg(item) == data[item]
    assert store["0000000003"].size == (11, 8)
    assert store["0000000003"].mode == "RGB"
    assert "0000000999" not in store


READ_ON_THREADS = """
import random, sys
from concurrent.futures import ThreadPoolExecutor
from catalogue.prepared.images import ImageStore
store = ImageStore(sys.argv[1])
ids = random.Random(0).choices(store.ids, k=20_000)
with ThreadPoolExecutor(8) as pool:
    read = list(pool.map(store.read_jpeg, ids))
alone = {item: store.read_jpeg(item) for item in store.ids}
print(read == [alone[item] for item in ids])
"""


def test_eight_threads_read_what_one_reads(packed: tuple[Path, dict[str, bytes]]) -> None:
    """It runs in its own process, because threads that share a reader crash or hang within a few thousand reads."""
    command = [sys.executable, "-c", READ_ON_THREADS, str(packed[0])]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (ended.returncode, ended.stdout) == (0, "True\n"), ended.stderr


def test_no_shard_stays_open(packed: tuple[Path, dict[str, bytes]]) -> None:
    """A process may have 1,024 files open, and 8 threads with H&M's 106 shards open would come near that."""
    store = ImageStore(packed[0])
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store.read_jpeg, store.ids))
        assert not [file.path for file in psutil.Process().open_files() if file.path.endswith(".parquet")]


def test_for_one_image_a_few_are_read(packed: tuple[Path, dict[str, bytes]]) -> None:
    """That holds for a shard of any size, and the shard is not copied."""
    shard = pq.ParquetFile(packed[0] / "00000.parquet")
    sizes = [shard.metadata.row_group(group).num_rows for group in range(shard.num_row_groups)]
    assert (max(sizes), sum(sizes)) == (images.ROW_GROUP_ITEMS, 100)
    assert shard.metadata.row_group(0).column(1).compression == "UNCOMPRESSED"


def test_the_source_of_every_image_is_hashed(packed: tuple[Path, dict[str, bytes]]) -> None:
    folder, data = packed
    rows = pq.read_table(folder / "00001.parquet", columns=["item_id", "source_sha256"]).to_pylist()
    assert len(rows) == 100
    assert all(row["source_sha256"] == hashlib.sha256(data[row["item_id"]]).hexdigest() for row in rows)


def test_transparent_pixels_become_white() -> None:
    picture = Image.new("RGBA", (90, 60), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (0, 0, 45, 60))
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    stored = Image.open(io.BytesIO(shrink(buffer.getvalue(), 64, "a.png")[0]))
    assert np.abs(np.subtract(stored.getpixel((60, 20)), (255, 255, 255))).max() < 12
    assert np.abs(np.subtract(stored.getpixel((5, 20)), (0, 0, 255))).max() < 12


def test_of_an_animation_the_first_frame_is_taken() -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("lime", "red")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    stored = Image.open(io.BytesIO(shrink(buffer.getvalue(), 64, "a.gif")[0]))
    assert np.abs(np.subtract(stored.getpixel((20, 20)), (0, 255, 0))).max() < 12


def test_packing_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "SHARD_ITEMS", 10)
    data = {f"{number:010d}": encoded(8 + number, 8) for number in range(35)}
    names = {item: f"{item}.jpg" for item in data}
    read: list[str] = []

    def image(item: str, last: str) -> bytes:
        read.append(item)
        if item > last:
            raise KeyboardInterrupt
        return data[item]

    work, folder, whole = tmp_path / "work", tmp_path / "images", tmp_path / "whole"
    for path in (work, folder, whole):
        path.mkdir()
    with pytest.raises(KeyboardInterrupt):
        pack_images(folder, names, lambda item: image(item, "0000000023"), 64, work)
    assert sorted(path.name for path in work.iterdir()) == ["00000.parquet", "00001.parquet"]
    assert list(folder.iterdir()) == []
    read.clear()
    pack_images(folder, names, lambda item: image(item, "9"), 64, work)
    assert min(read) == "0000000020"
    pack_images(whole, names, data.__getitem__, 64)
    for path in whole.iterdir():
        assert (folder / path.name).read_bytes() == path.read_bytes()


def test_a_store_can_be_sent_to_a_worker(packed: tuple[Path, dict[str, bytes]]) -> None:
    folder, data = packed
    store = ImageStore(folder)
    assert store.read_jpeg("0000000229") == data["0000000229"]
    copy = pickle.loads(pickle.dumps(store))
    assert {item: copy.read_jpeg(item) for item in copy.ids} == data


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no packed images"):
        ImageStore(tmp_path)
