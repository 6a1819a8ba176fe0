"""Pictures of garments: every attribute, pattern and colour shows, and no type looks like another."""

from dataclasses import replace
from itertools import combinations
from random import Random

import numpy as np
import pytest

from catalogue.descriptions.vocabulary import COLOURS
from sample.garments.attributes import ALLOWED, MATERIALS, PATTERNS, Garment, sample
from sample.garments.canvas import HEIGHT, WIDTH
from sample.garments.drawing import draw

SEEN = (64, 64)  # pixels: less than any of the small models sees


def pixels(garment: Garment) -> np.ndarray:
    """Draw with the same position, noise and background each time, and make it smaller: (64, 64, 3)."""
    return np.asarray(draw(garment, Random(7)).resize(SEEN), dtype=int)


def count_different_pixels(first: Garment, second: Garment) -> int:
    return int((np.abs(pixels(first) - pixels(second)).max(axis=2) > 40).sum())


def test_a_picture_is_a_small_portrait_in_rgb_and_a_function_of_the_seed() -> None:
    assert 3 * WIDTH == 2 * HEIGHT
    garment = sample(Random(1))
    picture = draw(garment, Random(2))
    assert (picture.size, picture.mode) == ((WIDTH, HEIGHT), "RGB")
    assert draw(garment, Random(2)).tobytes() == picture.tobytes()
    assert draw(garment, Random(3)).tobytes() != picture.tobytes()


@pytest.mark.parametrize("kind", ALLOWED)
def test_every_attribute_shows(kind: str) -> None:
    base = replace(sample(Random(4), {kind: 1}), colour="red", pattern="solid")
    for name, values in ALLOWED[kind].items():
        for first, second in combinations(values, 2):
            n_different = count_different_pixels(replace(base, **{name: first}), replace(base, **{name: second}))
            assert n_different >= 12, (name, first, second)


@pytest.mark.parametrize("kind", ALLOWED)
def test_a_material_does_not_show(kind: str) -> None:
    base = sample(Random(4), {kind: 1})
    drawn = {pixels(replace(base, material=material)).tobytes() for material in MATERIALS[kind]}
    assert len(drawn) == 1


@pytest.mark.parametrize(("first", "second"), list(combinations(ALLOWED, 2)))
def test_no_type_looks_like_another(first: str, second: str) -> None:
    rng = Random(5)
    for _ in range(10):
        one, other = (replace(sample(rng, {kind: 1}), colour="red", pattern="solid") for kind in (first, second))
        common = {name: getattr(one, name) for name, values in ALLOWED[second].items() if getattr(one, name) in values}
        assert count_different_pixels(one, replace(other, **common)) >= 60


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
