import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from catalogue import images
from catalogue.images import ImageStore, pack_images, shrink
from pipeline.errors import UserError


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


def test_every_item_gets_its_own_image_back(
    packed: tuple[Path, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, data = packed
    monkeypatch.setattr(images, "CACHED_ROW_GROUPS", 2)
    store = ImageStore(folder)
    assert [path.name for path in sorted(folder.iterdir())] == ["00000.parquet", "00001.parquet", "00002.parquet"]
    assert (store.ids, len(store)) == (list(data), 230)
    for item in np.random.default_rng(1).permutation(store.ids):
        assert store.jpeg(item) == data[item]
    assert store["0000000003"].size == (11, 8)
    assert store["0000000003"].mode == "RGB"
    assert "0000000999" not in store


def test_a_store_can_be_sent_to_a_worker(packed: tuple[Path, dict[str, bytes]]) -> None:
    folder, data = packed
    store = pickle.loads(pickle.dumps(ImageStore(folder)))
    assert store.jpeg("0000000229") == data["0000000229"]


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no packed images"):
        ImageStore(tmp_path)
