"""Turns any picture into the JPEG that is packed.

It is upright (EXIF), RGB, at most `image_size` pixels on the longest side, and of quality 90. Transparent pixels become
white; of an animation the first frame is taken. A JPEG that is so already keeps its bytes. A file that is truncated, is
not an image or has more than 50 million pixels is refused by name.
"""

import io

import numpy as np
from PIL import Image, UnidentifiedImageError

from pipeline.core.errors import UserError

PIXEL_LIMIT = 50_000_000  # a larger image may be a decompression bomb
JPEG_QUALITY = 90
EXIF_ORIENTATION = 0x0112
TURNS = {  # orientation -> what makes it upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
PNG = b"\x89PNG\r\n\x1a\n"
WIDE = ("PNG", "PPM")  # formats whose grey of 16 bits Pillow opens with 32; that of a TIFF it opens as `I;16`
PNG_TEXTS = (b"tEXt", b"zTXt", b"iTXt")


def shrink(data: bytes, image_size: int, name: str) -> tuple[bytes, int, int]:
    """Return JPEG, width and height, the longest side at most `image_size`; a JPEG that is so already keeps its bytes.

    Raises:
        UserError: the data is truncated, is not an image, or has more than 50 million pixels; the message has `name`.
    """
    try:
        with _open(data) as picture:
            if picture.width * picture.height > PIXEL_LIMIT:
                raise UserError(
                    f"{name}: {picture.width} × {picture.height} pixels, at most {PIXEL_LIMIT:,} are read; "
                    "shrink it or remove it"
                )
            is_upright = _find_orientation(picture) == 1
            is_rgb_jpeg = picture.format == "JPEG" and picture.mode == "RGB"
            if is_rgb_jpeg and is_upright and max(picture.size) <= image_size:
                picture.load()  # fails if the file is truncated
                return data, picture.width, picture.height
            return _encode(picture, image_size)
    except UserError:
        raise
    except Image.DecompressionBombError as error:
        raise UserError(f"{name}: {error}; shrink it or remove it") from None
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise whatever their file format makes go wrong
        reason = "not an image" if isinstance(error, UnidentifiedImageError) else f"truncated or damaged: {error}"
        raise UserError(
            f"{name}: {reason} ({len(data):,} bytes); fetch the file again, or remove it: its article then counts as "
            "an article without an image"
        ) from None


def _open(data: bytes) -> Image.Image:
    """Open a picture; of a PNG whose texts Pillow refuses (megabytes of a program's settings) without the texts."""
    try:
        return Image.open(io.BytesIO(data))
    except ValueError:
        if not data.startswith(PNG):
            raise
        return Image.open(io.BytesIO(_drop_png_texts(data)))


def _drop_png_texts(data: bytes) -> bytes:
    """Copy the chunks of a PNG, each of length, type, bytes and checksum, but those that hold texts."""
    kept, start = [PNG], len(PNG)
    while start + 8 <= len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        if data[start + 4 : start + 8] not in PNG_TEXTS:
            kept.append(data[start:end])
        start = end
    return b"".join(kept)


def _find_orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation, 1 where the picture is upright or does not say."""
    orientation = picture.getexif().get(EXIF_ORIENTATION, 1)
    return orientation if orientation in TURNS else 1


def _encode(picture: Image.Image, image_size: int) -> tuple[bytes, int, int]:
    turn = TURNS.get(_find_orientation(picture))
    picture.draft("RGB", (image_size, image_size))  # decodes a JPEG at a fraction of its size, four times as fast
    upright = picture if turn is None else picture.transpose(turn)  # exif_transpose fails on EXIF it cannot write
    upright = _without_alpha(_in_8_bits(upright, picture.format)).convert("RGB")
    upright.thumbnail((image_size, image_size), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    upright.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue(), upright.width, upright.height


def _in_8_bits(picture: Image.Image, kind: str | None) -> Image.Image:
    """Scale grey of 16 bits down, because `convert` cuts it off at 255, which makes all but black white."""
    if picture.mode == "F":
        raise ValueError("pixels are floating-point numbers of no known range: save it as PNG or JPEG")
    if picture.mode == "I" and kind not in WIDE:
        raise ValueError("pixels are whole numbers of no known range, such as 32 bits: save it as PNG or JPEG")
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
