"""CSV files of shops: any delimiter, names of columns as they are, and refusals that name the file."""

import csv
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookbook.shops.tables import DELIMITERS, iterate_tables, read_table
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
    assert table.rows.to_numpy().tolist() == [[cell.strip() or None for cell in row] for row in rows]
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


def test_a_quote_that_closes_nothing_swallows_no_rows(tmp_path: Path) -> None:
    """With tabs it is a letter, as in Google's feeds; with another delimiter the file is refused."""
    lines = ["id\ttitle", 'A1\t"Boho dress, long', "A2\tskirt", 'A3\t"Chic" coat', 'A4\t14" bag']
    path = tmp_path / "products.tsv"
    path.write_text("\n".join(lines))
    assert read_table(path).rows["title"].tolist() == ['"Boho dress, long', "skirt", '"Chic" coat', '14" bag']
    path.write_text("\n".join([*lines[:3], 'A3\tcoat"', "A4\tbag"]))
    assert read_table(path).rows["id"].tolist() == ["A1", "A2", "A3", "A4"]
    path.write_text("\n".join(lines).replace("\t", ";"))
    with pytest.raises(UserError, match=r"products\.tsv: line 4: .* write a quote in it twice"):
        read_table(path)
    path.write_text('"A00";"words"\n"A1";"A dress; 10\\" slit"\n')
    with pytest.raises(UserError, match=r"line 2: "):
        read_table(path)


def test_a_row_that_is_too_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    path.write_text("id,title,colour\n1,a dress\n")
    with pytest.raises(UserError, match=r"products\.csv: line 2: 2 cells for 3 columns"):
        read_table(path)


def test_what_is_written_for_excel_is_read_or_named(tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    path.write_text('id,title\n="00123", a dress \n')
    table = read_table(path)
    assert table.rows.to_numpy().tolist() == [["00123", "a dress"]]
    assert not table.as_read
    path.write_text("sep=;\nid;title\n1;a dress\n")
    with pytest.raises(UserError, match=r"products\.csv: its first line, sep=;, is for Excel"):
        read_table(path)


@given(n_rows=st.integers(1, 25), size=st.integers(1, 9))
def test_parts_hold_all_rows_in_order(tmp_path_factory: pytest.TempPathFactory, n_rows: int, size: int) -> None:
    path = tmp_path_factory.mktemp("table") / "orders.csv"
    path.write_text("id,title\n" + "".join(f"{row},a\n" for row in range(n_rows)))
    parts = list(iterate_tables(path, size))
    assert [len(part.rows) for part in parts[:-1]] == [size] * (len(parts) - 1)
    assert pd.concat([part.rows for part in parts])["id"].tolist() == [str(row) for row in range(n_rows)]


@pytest.mark.parametrize("header", ["id, title", "id,title,title", "id,title,"])
def test_a_header_that_other_readers_may_read_otherwise_is_known(tmp_path: Path, header: str) -> None:
    path = tmp_path / "products.csv"
    path.write_text(header + "\n" + ",".join("1" * (header.count(",") + 1)) + "\n")
    assert not read_table(path).as_read
