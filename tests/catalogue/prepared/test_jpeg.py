"""Any picture as the JPEG that is packed: what keeps its bytes, what is shrunk, and what is refused by name."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from catalogue.prepared import jpeg
from catalogue.prepared.jpeg import shrink
from catalogue.readers.pictures import PICTURES
from pipeline.core.errors import UserError
from tests.helpers.encoded import encoded

CASES = Path(__file__).parents[2] / "cases"


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


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_grey_of_16_bits_is_scaled_and_not_cut_off(kind: str) -> None:
    """Pillow opens it as `I;16`, or as `I` as if it had 32 bits: of a PPM always, of a PNG by its version."""
    ramp = np.tile(np.linspace(0, 65_535, 64).astype(np.uint16), (32, 1))
    Image.fromarray(ramp).save(buffer := io.BytesIO(), kind)
    stored = np.asarray(Image.open(io.BytesIO(shrink(buffer.getvalue(), 64, "a")[0])), dtype=int)[16, :, 0]
    assert np.abs(stored - ramp[16] / 257).max() < 8


def test_a_turned_image_is_stored_upright() -> None:
    exif = Image.Exif()
    exif[jpeg.EXIF_ORIENTATION] = 6
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
    monkeypatch.setattr(jpeg, "PIXEL_LIMIT", 1000)
    with pytest.raises(UserError, match=r"a\.jpg: 40 × 30 pixels"):
        shrink(encoded(40, 30), 128, "a.jpg")


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


def with_text(data: bytes, size: int) -> bytes:
    """Put a compressed text of so many bytes behind the header of a PNG."""
    body = b"workflow\0\0" + zlib.compress(bytes(size))
    chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
    return data[:33] + chunk + data[33:]


def test_a_png_with_megabytes_of_text_is_the_same_picture() -> None:
    assert shrink((CASES / "15-png-text/A005.png").read_bytes(), 256, "A005.png")[1:] == (60, 80)
    plain = encoded(64, 48, "PNG")
    assert shrink(with_text(plain, 20_000_000), 256, "a.png") == shrink(plain, 256, "a.png")


def unwritable_exif(orientation: int) -> bytes:
    """Encode EXIF that Pillow reads but cannot write: a maker's name that is a number."""
    entries = [(0x010F, 12, 1, struct.pack("<I", 8)), (0x0112, 3, 1, struct.pack("<HH", orientation, 0))]
    table = b"".join(struct.pack("<HHI", *entry[:3]) + entry[3] for entry in entries)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(entries)) + table + struct.pack("<I", 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [64, 20])
def test_exif_that_cannot_be_written_turns_as_other_exif_does(orientation: int, size: int) -> None:
    exif = Image.Exif()
    exif[jpeg.EXIF_ORIENTATION] = orientation
    turned = Image.open(io.BytesIO(encoded(40, 30, exif=exif)))
    expected = ImageOps.exif_transpose(turned).convert("RGB")
    expected.thumbnail((size, size), Image.Resampling.LANCZOS)
    data, *shape = shrink(encoded(40, 30, exif=unwritable_exif(orientation)), size, "a.jpg")
    assert tuple(shape) == expected.size
    if size == 64:  # decoded at its full size in both
        difference = np.subtract(Image.open(io.BytesIO(data)), expected, dtype=int)
        assert np.abs(difference).mean() < 12


@pytest.mark.parametrize(("values", "kind"), [(np.float32, "floating-point numbers"), (np.int32, "whole numbers")])
@pytest.mark.parametrize("largest", [252, 30_000])
def test_pixels_of_no_known_range_are_refused(values: type, kind: str, largest: int) -> None:
    """A TIFF of 32 bits became black where its values end at 252, and white where they are large."""
    pixels = np.linspace(0, largest, 600).reshape(20, 30).astype(values)
    Image.fromarray(pixels).save(buffer := io.BytesIO(), "TIFF")
    with pytest.raises(UserError, match=rf"a\.tif: truncated or damaged: pixels are {kind} .*save it as PNG"):
        shrink(buffer.getvalue(), 64, "a.tif")


def test_every_ending_that_is_a_picture_is_read_by_pillow() -> None:
    Image.init()
    readable = {ending for ending, kind in Image.registered_extensions().items() if kind in Image.OPEN}
    assert set(PICTURES) <= readable


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's about damaged EXIF
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP"])
def test_a_damaged_file_is_a_picture_or_refused_by_name(kind: str) -> None:
    data, draws, refusals = encoded(40, 30, kind), np.random.default_rng(7), []
    for _ in range(30):
        damaged = bytearray(data)
        for place in draws.integers(0, len(data), 4):
            damaged[place] ^= int(draws.integers(1, 256))
        try:
            _, width, height = shrink(bytes(damaged), 64, "images/a.file")
        except UserError as error:
            refusals.append(str(error))
        else:
            assert max(width, height) <= 64
    assert all(message.startswith("images/a.file: ") for message in refusals)
