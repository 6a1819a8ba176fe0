"""Pictures of garments: every attribute, pattern and colour shows."""

from dataclasses import replace
from itertools import combinations
from random import Random

import numpy as np
import pytest

from catalogue.descriptions.vocabulary import COLOURS
from sample.garments.attributes import ALLOWED, PATTERNS, Garment, sample
from sample.garments.drawing import SIDE, draw


def pixels(garment: Garment) -> np.ndarray:
    """Draw with the same position, noise and background each time: (64, 64, 3)."""
    return np.asarray(draw(garment, Random(7)), dtype=int)


def count_different_pixels(first: Garment, second: Garment) -> int:
    return int((np.abs(pixels(first) - pixels(second)).max(axis=2) > 40).sum())


def test_a_picture_is_small_rgb_and_a_function_of_the_seed() -> None:
    garment = sample(Random(1))
    picture = draw(garment, Random(2))
    assert (picture.size, picture.mode) == ((SIDE, SIDE), "RGB")
    assert draw(garment, Random(2)).tobytes() == picture.tobytes()
    assert draw(garment, Random(3)).tobytes() != picture.tobytes()


@pytest.mark.parametrize("kind", ALLOWED)
def test_every_attribute_shows(kind: str) -> None:
    base = replace(sample(Random(4), {kind: 1}), colour="red", pattern="solid")
    for name, values in ALLOWED[kind].items():
        for first, second in combinations(values, 2):
            n_different = count_different_pixels(replace(base, **{name: first}), replace(base, **{name: second}))
            assert n_different >= 5, (name, first, second)


@pytest.mark.parametrize("kind", ALLOWED)
def test_every_pattern_and_colour_shows(kind: str) -> None:
    base = replace(sample(Random(4), {kind: 1}), colour="red", pattern="solid")
    patterned = [pixels(replace(base, pattern=pattern)) for pattern in PATTERNS]
    for first, second in combinations(patterned, 2):
        assert (np.abs(first - second).max(axis=2) > 40).sum() > 20
    coloured = [pixels(replace(base, colour=colour)).tolist() for colour in COLOURS]
    assert all(first != second for first, second in combinations(coloured, 2))


def test_a_white_garment_stands_out_from_its_background() -> None:
    for seed in range(20):
        picture = draw(Garment("t-shirt", "white", sleeve="short", neck="round"), Random(seed))
        assert np.asarray(picture)[0, 0].max() < 225
