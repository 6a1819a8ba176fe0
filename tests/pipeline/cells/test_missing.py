"""Words for a missing value, in any case and with spaces, and no others."""

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cells.missing import MISSING, NOBODY, drop_missing, find_nobody, is_missing

WORDS = st.sampled_from(sorted(NOBODY)) | st.text(max_size=25) | st.sampled_from(["None of these", "na ja", "u1", "0"])
CASES = st.sampled_from([str.upper, str.title, str])
SPACES = st.sampled_from(["", " ", "\t "])


@pytest.mark.parametrize("word", ["NULL", r"\N", "nan", "None", "N/A", "", " ", "#N/A", "<NA>", "NaN"])
def test_the_usual_words_are_missing(word: str) -> None:
    assert is_missing(word)
    assert drop_missing(pd.Series([word, "red"], dtype="str")).isna().tolist() == [True, False]


@pytest.mark.parametrize("text", ["None of these", "Nantes", "n/a?", "NA, not a number", "0"])
def test_a_text_that_begins_like_one_is_a_text(text: str) -> None:
    assert not is_missing(text)


@given(st.lists(st.tuples(SPACES, WORDS, CASES, SPACES).map(lambda parts: parts[0] + parts[2](parts[1]) + parts[3])))
def test_users_are_judged_as_words_one_by_one(users: list[str]) -> None:
    slow = [not user.strip() or user.strip().lower() in NOBODY for user in users]
    assert find_nobody(pa.array(users, pa.string())).to_pylist() == slow


def test_long_ids_are_users() -> None:
    assert find_nobody(pa.array(["f" * 64, "e" * 64])).to_pylist() == [False, False]
    assert MISSING < NOBODY
