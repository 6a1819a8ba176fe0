"""Columns of large CSV files: what the csv module reads, in blocks of any size, and nothing swallowed."""

import csv
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.cells import streams
from pipeline.cells.streams import stream_columns
from pipeline.core.errors import UserError


def read(folder: Path) -> list[dict]:
    types = {"user": pa.string(), "item": pa.string()}
    batches = stream_columns(partial(open, folder / "a.csv", "rb"), "a.csv", types, "one row a line")
    return [row for batch in batches for row in batch.to_pylist()]


@pytest.mark.parametrize("header", ["user,item,note", 'user, item, "note, or\nso"', "\ufeff user ,item,note,"])
@pytest.mark.parametrize("end", ["", ",", ",,"])
def test_quotes_that_cross_blocks_are_read_as_the_csv_module_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: str, end: str
) -> None:
    monkeypatch.setattr(streams, "BLOCK_BYTES", 256)
    rows = [f'u{row},i{row},"a ""note""\nof, lines {row}"{end}\n' for row in range(200)]
    (tmp_path / "a.csv").write_text(f"{header}\n{''.join(rows)}", encoding="utf-8")
    assert read(tmp_path) == [{"user": f"u{row}", "item": f"i{row}"} for row in range(200)]
    with open(tmp_path / "a.csv", newline="", encoding="utf-8") as file:
        assert len(list(csv.reader(file, skipinitialspace=True))) == 201


@pytest.mark.parametrize("first", [0, 1, 150])
@pytest.mark.parametrize("cell", [' "i{}"', " i{}", '"i{}"'])
@pytest.mark.parametrize("user", ["u{}", ' "u{}"'])
def test_a_space_before_a_cell_is_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int, cell: str, user: str
) -> None:
    """From any row on: what Arrow has read before stays, and no row comes twice."""
    monkeypatch.setattr(streams, "BLOCK_BYTES", 256)
    monkeypatch.setattr(streams, "BLOCK_ROWS", 7)
    rows = [f"u{n},i{n}\n" if n < first else f"{user},{cell}\n\n".format(n, n) for n in range(200)]
    (tmp_path / "a.csv").write_text("user,item\n" + "".join(rows))
    assert read(tmp_path) == [{"user": f"u{n}", "item": f"i{n}"} for n in range(200)]


def test_a_space_inside_quotes_is_read_fast(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "BLOCK_BYTES", 64)
    monkeypatch.setattr(streams, "_stream_rows", None)
    rows = [f'u{n},i{n},"nice, soft""; {n}\n and, warm"\n' for n in range(50)]
    (tmp_path / "a.csv").write_text("user,item,note\n" + "".join(rows))
    assert read(tmp_path) == [{"user": f"u{n}", "item": f"i{n}"} for n in range(50)]


def test_an_empty_number_is_missing_beside_a_space_too(tmp_path: Path) -> None:
    types = {"user": pa.string(), "rating": pa.float64()}
    for text in ("user,rating\nu,\nu,1.5\n", 'user,rating\nu,\nu, "1.5"\n'):
        (tmp_path / "a.csv").write_text(text)
        batches = stream_columns(partial(open, tmp_path / "a.csv", "rb"), "a.csv", types, "")
        assert [row["rating"] for batch in batches for row in batch.to_pylist()] == [None, 1.5]
    (tmp_path / "a.csv").write_text("user,rating\nu, much\n")
    with pytest.raises(UserError, match="conversion error to double"):
        list(stream_columns(partial(open, tmp_path / "a.csv", "rb"), "a.csv", types, ""))


@pytest.mark.parametrize("place", range(4))
def test_a_quote_that_is_not_closed_is_refused(tmp_path: Path, place: int) -> None:
    rows = [f"u{row},i{row}\n" for row in range(4)]
    rows[place] = rows[place].replace("i", '"i')
    (tmp_path / "a.csv").write_text("user,item\n" + "".join(rows))
    with pytest.raises(UserError, match=r"a\.csv: (line|below the header|a quote is not closed)"):
        read(tmp_path)


def test_a_header_alone_has_no_purchases(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item\n")
    assert read(tmp_path) == []


def test_a_row_with_another_number_of_cells_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item\nu,i\nu,i,1\n")
    with pytest.raises(
        UserError, match=r"a\.csv: below the header: CSV parse error: Row #2: Expected 2 columns, got 3"
    ):
        read(tmp_path)
