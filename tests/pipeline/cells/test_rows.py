"""Rows of CSV files: the cells that Python's csv module reads, and what does not fit the header is refused by line."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cells.rows import read_names, read_table
from pipeline.core.errors import UserError

CASES = Path(__file__).parents[2] / "cases"
CELLS = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=8)


def table_of(text: str | bytes) -> dict[str, list[str]]:
    data = text.encode() if isinstance(text, str) else text
    return {name: list(values) for name, values in read_table(io.BytesIO(data), "a.csv").items()}


@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1), st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_what_the_csv_module_writes_is_read_back(rows: list[tuple[str, ...]], mark: bool, line_end: str) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator=line_end, quoting=csv.QUOTE_ALL)
    writer.writerows([("a", "b, or c", "d\ne"), *rows])
    read = table_of(b"\xef\xbb\xbf" * mark + stream.getvalue().encode())
    assert list(read) == ["a", "b, or c", "d\ne"]
    assert list(zip(*read.values(), strict=True)) == rows


def test_the_header_is_what_the_csv_module_gives() -> None:
    path = CASES / "13-header-quoted/items.csv"
    with open(path, newline="") as text, open(path, "rb") as file:
        assert read_names(file, str(path)) == next(csv.reader(text)) == ["item_id", "Text, long", "category"]


@pytest.mark.parametrize(
    "text",
    ["a,b\n1,2\n", "a, b\n1, 2\n", ' a ,"b"\r\n"1","2"\r\n', "\ufeffa,b\n1,2", "a,b\n\n1,2\n\n", "a,b,\n1,2,\n"],
)
def test_spaces_quotes_marks_and_empty_lines_change_nothing(text: str) -> None:
    assert table_of(text) == {"a": ["1"], "b": ["2"]}


def test_commas_at_the_end_of_rows_shift_nothing() -> None:
    assert table_of("a,b\n1,2,\n3,4,,\n5,6\n") == {"a": ["1", "3", "5"], "b": ["2", "4", "6"]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,4,5\n", "line 3: 3 cells for 2 columns, a, b"),
        ("a,b\n1\n", "line 2: 1 cells for 2 columns"),
        ('a,b\n1,"2\n3,4\n', "line 3: not a row of a CSV"),
        ('a,b\n1,"2"x\n', "line 2: not a row of a CSV"),
        ("a,b\n1,2\r3,4\n", "line 2: not a row of a CSV"),
        (b"a,b\n1,\xe4\n", "line 2: byte 3 of the line is not UTF-8; save the file as UTF-8"),
        ("a,a\n1,2\n", "more than one column a"),
        ("", "empty"),
        ("\n1,2\n", "empty"),
    ],
)
def test_what_is_no_table_is_refused_by_line(text: str | bytes, message: str) -> None:
    with pytest.raises(UserError, match=rf"^a\.csv: {message}"):
        table_of(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [("a;b\n1;2\n", "separated by ';'"), ("a,B\n1,2\n", "no column b; found a, B")],
)
def test_a_missing_column_is_named(text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_table(io.BytesIO(text.encode()), "a.csv", ["a", "b"])
