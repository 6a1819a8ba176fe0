"""Garments drawn at random have the attributes that their type allows."""

from dataclasses import fields
from random import Random

from catalogue.descriptions.vocabulary import COLOURS, INVISIBLE, VISIBLE
from sample.garments.attributes import (
    ALLOWED,
    DETAILS,
    HOME_TYPES,
    MATERIALS,
    PATTERNS,
    RARE_TYPES,
    TYPES,
    Garment,
    sample,
)


def test_a_garment_has_exactly_the_attributes_that_its_type_allows() -> None:
    rng = Random(3)
    for kind in ALLOWED:
        for _ in range(40):
            garment = sample(rng, {kind: 1})
            assert garment.type == kind
            assert garment.colour in COLOURS
            assert garment.pattern in PATTERNS
            assert garment.material in MATERIALS[kind]
            for name in DETAILS:
                assert getattr(garment, name) in ALLOWED[kind].get(name, (None,))


def test_the_same_seed_gives_the_same_garments() -> None:
    assert [sample(Random(5)) for _ in range(3)] == [sample(Random(5)) for _ in range(3)]


def test_every_type_is_drawn_and_the_rare_ones_only_on_request() -> None:
    rng = Random(0)
    drawn = {sample(rng).type for _ in range(2000)}
    assert drawn == set(TYPES)
    assert not drawn & {*RARE_TYPES, *HOME_TYPES}


def test_the_attributes_that_show_and_those_that_do_not_are_all_there_are() -> None:
    assert (*VISIBLE, *INVISIBLE) == ("type", "colour", "pattern", *DETAILS, "material")
    assert set(VISIBLE) | set(INVISIBLE) == {field.name for field in fields(Garment)}
