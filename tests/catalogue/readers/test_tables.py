"""Tables of raw data: purchases of every block and quote, and descriptions in plain lines."""

import csv
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from catalogue.readers import tables
from catalogue.readers.files import Folder
from catalogue.readers.tables import clean_texts, stream
from pipeline.core.errors import UserError


def read(folder: Path) -> list[dict]:
    batches = stream(Folder(folder), "a.csv", {"user": pa.string(), "item": pa.string()})
    return [row for batch in batches for row in batch.to_pylist()]


@pytest.mark.parametrize("header", ["user,item,note", 'user, item, "note, or\nso"', "\ufeff user ,item,note,"])
@pytest.mark.parametrize("end", ["", ",", ",,"])
def test_quotes_that_cross_blocks_are_read_as_the_csv_module_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: str, end: str
) -> None:
    monkeypatch.setattr(tables, "BLOCK_BYTES", 256)
    rows = [f'u{row},i{row},"a ""note""\nof, lines {row}"{end}\n' for row in range(200)]
    (tmp_path / "a.csv").write_text(f"{header}\n{''.join(rows)}", encoding="utf-8")
    assert read(tmp_path) == [{"user": f"u{row}", "item": f"i{row}"} for row in range(200)]
    with open(tmp_path / "a.csv", newline="", encoding="utf-8") as file:
        assert len(list(csv.reader(file, skipinitialspace=True))) == 201


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


def test_descriptions_are_plain_lines() -> None:
    texts = pd.Series([" a\n<p>red</p>", "NULL", None, "", "<p> n/a </p>", "Ja\u0308ckchen"], dtype="str")
    assert clean_texts(texts).tolist() == ["a red", None, None, None, None, "J\u00e4ckchen"]
    assert clean_texts(texts[1:3]).tolist() == [None, None]
