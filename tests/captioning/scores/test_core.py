from random import Random

import numpy as np
import pandas as pd
import pytest

from captioning.scores.core import by_attribute, core_precision
from catalogue.descriptions.vocabulary import SYNONYMS
from sample.garments.attributes import sample
from sample.garments.wording import write_alt_text

TRUTH = pd.DataFrame([{"type": "t-shirt", "colour": "red", "pattern": "striped"}])


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("A red striped T-shirt with short sleeves", 1.0),
        ("a tee with stripes", 1.0),
        ("a red shirt", 1 / 2),  # a t-shirt is no shirt
        ("blue t-shirt", 1 / 2),
        ("red and blue striped tee", 3 / 4),
        ("a blue dress with dots", 0.0),
        ("t-shirt, tee", 1.0),  # one value, named twice
        ("tee or dress", 1 / 2),
    ],
)
def test_share_of_what_is_named(caption: str, expected: float) -> None:
    assert core_precision([caption], TRUTH) == pytest.approx([expected])


@pytest.mark.parametrize("caption", ["", "soft cotton with long sleeves", "shirting and redness", "sweatshirt fabric"])
def test_nothing_named_is_not_zero(caption: str) -> None:
    assert np.isnan(core_precision([caption], TRUTH)).all()


def test_rows_belong_to_captions() -> None:
    truth = pd.DataFrame({"type": ["dress", "boots"], "colour": ["red", "blue"], "pattern": ["solid", "solid"]})
    assert core_precision(["red dress", "red dress"], truth).tolist() == [1, 0]
    with pytest.raises(ValueError, match="1 captions for 2 rows"):
        core_precision(["red dress"], truth)


def test_true_alt_text_of_the_sample_is_always_right() -> None:
    rng = Random(2)
    garments = [sample(rng) for _ in range(300)]
    truth = pd.DataFrame([{"type": g.type, "colour": g.colour, "pattern": g.pattern} for g in garments])
    assert (core_precision([write_alt_text(garment, rng) for garment in garments], truth) == 1).all()


def test_every_synonym_names_its_own_value_only() -> None:
    for attribute, values in SYNONYMS.items():
        for value, phrases in values.items():
            truth = TRUTH.assign(**{attribute: value})
            assert [core_precision([phrase], truth)[0] for phrase in phrases] == [1.0] * len(phrases)


def test_each_attribute_alone_is_what_is_named_of_it() -> None:
    truth = pd.concat([TRUTH] * 4, ignore_index=True)
    table = by_attribute(["a red striped dress", "tee or dress", "blue and red", "soft cotton"], truth)
    nan = float("nan")
    expected = {
        "core_type": [0, 1 / 2, nan, nan],
        "core_colour": [1, nan, 1 / 2, nan],
        "core_pattern": [1, nan, nan, nan],
    }
    pd.testing.assert_frame_equal(table, pd.DataFrame(expected, dtype=float))


def test_leaving_out_the_easy_attribute_lowers_the_joint_figure_alone() -> None:
    truth = pd.concat([TRUTH] * 2, ignore_index=True)
    naming = ["red dress", "red tee"]
    silent = ["dress", "tee"]
    assert np.mean(core_precision(naming, truth)) > np.mean(core_precision(silent, truth))
    assert by_attribute(naming, truth)["core_type"].equals(by_attribute(silent, truth)["core_type"])
