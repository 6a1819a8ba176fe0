"""CSV files of shops: any delimiter, names of columns as they are, and refusals that name the file."""

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookbook.shops.tables import DELIMITERS, read_table
from pipeline.core.errors import UserError

CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)


@given(
    names=st.lists(st.text("abcdefgh ", min_size=1), min_size=2, max_size=5, unique_by=str.strip),
    cells=st.lists(st.lists(CELLS, min_size=5, max_size=5), min_size=1, max_size=4),
    delimiter=st.sampled_from(DELIMITERS),
)
def test_every_cell_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], cells: list[list[str]], delimiter: str
) -> None:
    names = [name if name.strip() else f"x{index}" for index, name in enumerate(names)]
    path = tmp_path_factory.mktemp("table") / "products.csv"
    rows = [row[: len(names)] for row in cells]
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    table = read_table(path)
    assert table.delimiter == delimiter
    assert table.columns == [name.strip() for name in names]
    assert table.rows.to_numpy().tolist() == [[cell or None for cell in row] for row in rows]
    assert table.as_read == (names == [name.strip() for name in names])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"id,title\n", "a header and no rows"),
        (b"id,title\n1,d\xe9j\xe0\n", "export or save it as CSV, UTF-8"),
        ("id,title\n1,a\n".encode("utf-16"), "UTF-8"),
        (b"id,title\n1,a dress, long\n", "does a row have too many cells"),
        (b'id,title\n1,"a dress\n2,b\n', "not a readable CSV file"),
    ],
)
def test_what_is_no_table_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "products.csv"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"products\.csv") as refusal:
        read_table(path)
    assert message in str(refusal.value)


@pytest.mark.parametrize("header", ["id, title", "id,title,title", "id,title,"])
def test_a_header_that_other_readers_may_read_otherwise_is_known(tmp_path: Path, header: str) -> None:
    path = tmp_path / "products.csv"
    path.write_text(header + "\n" + ",".join("1" * (header.count(",") + 1)) + "\n")
    assert not read_table(path).as_read
