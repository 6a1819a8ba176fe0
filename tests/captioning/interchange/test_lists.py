"""Lists of texts in a cell: what JSON, Python and NumPy write comes back, and plain text stays text."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from captioning.interchange.lists import parse_texts

TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=12)
LISTS = st.lists(TEXTS, min_size=1, max_size=4)


@given(LISTS)
def test_every_notation_of_a_list_comes_back(texts: list[str]) -> None:
    with np.printoptions(threshold=1000):
        array = np.array(texts, dtype=object)
        for cell in (json.dumps(texts), repr(texts), repr(tuple(texts)), str(array), repr(array)):
            assert parse_texts(cell) == texts
        assert parse_texts(str([np.str_(text) for text in texts])) == texts
        assert parse_texts(f" {json.dumps(texts)} ") == texts


@given(LISTS)
def test_numpys_own_texts_come_back(texts: list[str]) -> None:
    array = np.array([text.rstrip("\0") for text in texts])
    assert parse_texts(str(array)) == parse_texts(repr(array)) == array.tolist()


@pytest.mark.parametrize(
    "text", ["", "a dress", "[new] dress", "(red) cap (soft)", "[it's new]", "[a red dress]", "[60%]"]
)
def test_a_plain_text_is_the_only_entry(text: str) -> None:
    assert parse_texts(text) == [text]


@pytest.mark.parametrize(
    "cell",
    ["['a' 'b'", "['a', 'b' ... 'c']", "['a', nan]", "[nan 'a']", '["a", "b]', "['a', red]", str(["a"] * 3)[:-4]],
)
def test_a_list_that_was_cut_off_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match="is no list of texts"):
        parse_texts(cell)
