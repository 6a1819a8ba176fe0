"""Padding to a square: nothing of the picture is lost, whatever its format."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from features.squares import pad_to_square

SIDES = st.integers(1, 40)


@given(SIDES, SIDES)
def test_the_picture_stands_whole_in_the_middle(width: int, height: int) -> None:
    pixels = np.random.default_rng(width * 41 + height).integers(0, 200, (height, width, 3), dtype=np.uint8)
    padded = np.asarray(pad_to_square(Image.fromarray(pixels), (255, 255, 255)))
    side = max(width, height)
    assert padded.shape == (side, side, 3)
    top, left = (side - height) // 2, (side - width) // 2
    assert (padded[top : top + height, left : left + width] == pixels).all()
    assert (padded == 255).all(axis=2).sum() == side * side - width * height
