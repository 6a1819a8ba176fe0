"""The words of arrivals from the shop's table."""

import pandas as pd
import pytest

from catalogue.arrivals.words import describe_row
from catalogue.readers import NO_CATEGORY, NO_COLOUR


@pytest.mark.parametrize(
    ("category", "colour", "sentence"),
    [
        ("Dress", "Red", "Dress, Red."),
        ("Other dress", NO_COLOUR.title(), "Other dress."),
        (NO_CATEGORY, "Red", "Red."),
        (NO_CATEGORY.upper(), NO_COLOUR.upper(), ""),
        (NO_CATEGORY, NO_COLOUR, ""),
        (None, "", ""),
    ],
)
def test_what_stands_where_there_is_no_value_is_no_word(category: str | None, colour: str, sentence: str) -> None:
    assert describe_row(pd.Series({"category": category, "colour": colour})) == sentence
