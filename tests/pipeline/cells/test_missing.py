"""Words for a missing value, in any case and with spaces, and no others."""

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cells.missing import DROPPED, MISSING, NOBODY, drop_missing, find_missing, find_nobody, is_missing

WORDS = st.sampled_from(sorted(NOBODY)) | st.text(max_size=25) | st.sampled_from(["None of these", "na ja", "u1", "0"])
CASES = st.sampled_from([str.upper, str.title, str])
SPACES = st.sampled_from(["", " ", "\t ", "\ufeff", " \u200b\u00ad"])


@pytest.mark.parametrize("word", ["NULL", r"\N", "nan", "None", "N/A", "", " ", "#N/A", "<NA>", "NaN"])
def test_the_usual_words_are_missing(word: str) -> None:
    assert is_missing(word)
    assert drop_missing(pd.Series([word, "red"], dtype="str")).isna().tolist() == [True, False]


@pytest.mark.parametrize("text", ["None of these", "Nantes", "n/a?", "NA, not a number", "0"])
def test_a_text_that_begins_like_one_is_a_text(text: str) -> None:
    assert not is_missing(text)


@given(st.lists(st.tuples(SPACES, WORDS, CASES, SPACES).map(lambda parts: parts[0] + parts[2](parts[1]) + parts[3])))
def test_users_are_judged_as_words_one_by_one(users: list[str]) -> None:
    words = [user.translate(DROPPED).strip().lower() for user in users]
    slow = [not word or word in NOBODY for word in words]
    assert find_nobody(pa.array(users, pa.string())).to_pylist() == slow


@pytest.mark.parametrize("text", ["\u200b", "\ufeff", " \u00ad ", "\u200d" * 40, "NU\u2060LL", "\u200cu1", "ü1"])
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_letters_without_width_count_alike_in_texts_and_tables(text: str, kind: pa.DataType) -> None:
    for texts in (pa.array([text, None, "u1"], kind), pa.chunked_array([[text], [None, "u1"]], kind)):
        assert find_missing(texts).to_pylist() == [is_missing(text), True, False]
        assert find_nobody(texts).to_pylist() == [is_missing(text), True, False]
    assert find_missing(pa.array([], kind)).to_pylist() == []


def test_long_ids_are_users() -> None:
    assert find_nobody(pa.array(["f" * 64, "e" * 64])).to_pylist() == [False, False]
    assert MISSING < NOBODY
