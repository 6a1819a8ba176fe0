from dataclasses import replace
from itertools import combinations
from random import Random

import numpy as np
import pytest

from catalogue.descriptions.vocabulary import COLOURS
from sample.garments.attributes import ALLOWED, PATTERNS, Garment, sample
from sample.garments.drawing import SIDE, draw


def pixels(garment: Garment) -> np.ndarray:
    return np.asarray(
        draw(garment, Random(7)), dtype=int
    )  # (64, 64, 3): place, noise and background are the same each time


def pixels_that_differ(one: Garment, other: Garment) -> int:
    return int((np.abs(pixels(one) - pixels(other)).max(axis=2) > 40).sum())


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
        for one, other in combinations(values, 2):
            assert pixels_that_differ(replace(base, **{name: one}), replace(base, **{name: other})) >= 5, (
                name,
                one,
                other,
            )


@pytest.mark.parametrize("kind", ALLOWED)
def test_every_pattern_and_colour_shows(kind: str) -> None:
    base = replace(sample(Random(4), {kind: 1}), colour="red", pattern="solid")
    patterned = [pixels(replace(base, pattern=pattern)) for pattern in PATTERNS]
    for one, other in combinations(patterned, 2):
        assert (np.abs(one - other).max(axis=2) > 40).sum() > 20
    coloured = [pixels(replace(base, colour=colour)).tolist() for colour in COLOURS]
    assert all(one != other for one, other in combinations(coloured, 2))


def test_a_white_garment_stands_out_from_its_background() -> None:
    for seed in range(20):
        corner = np.asarray(draw(Garment("t-shirt", "white", sleeve="short", neck="round"), Random(seed)), dtype=int)[
            0, 0
        ]
        assert corner.max() < 225
