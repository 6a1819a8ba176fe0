"""Drawn pictures as encoded files."""

import io

import numpy as np
from PIL import Image


def encoded(width: int, height: int, kind: str = "JPEG", mode: str = "RGB", **options: object) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, kind, **options)
    return buffer.getvalue()


def encode(picture: Image.Image) -> bytes:
    """Encode a picture without loss, as PNG."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
