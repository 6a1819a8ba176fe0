"""Reading prepared items: columns, order, splits, and what is refused."""

from pathlib import Path

import pandas as pd
import pytest

from catalogue.prepared.items import read_items, select_split
from pipeline.core.errors import UserError

COLUMNS = ["item_id", "description", "split"]


def write(path: Path, rows: list, columns: list[str] = COLUMNS) -> Path:
    pd.DataFrame(rows, columns=columns).to_parquet(path)
    return path


def test_items_come_sorted_with_the_columns_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "items.parquet", [("2", "b", "train"), ("1", "a", "test")])
    assert read_items(path, ["item_id", "split"]).to_numpy().tolist() == [["1", "test"], ["2", "train"]]
    assert read_items(path, ["description"]).to_numpy().tolist() == [["b"], ["a"]]


def test_a_split_keeps_their_order(tmp_path: Path) -> None:
    rows = [("2", "b", "train"), ("1", "a", "train"), ("3", "c", "test"), ("4", None, None)]
    path = write(tmp_path / "items.parquet", rows)
    selected = select_split(read_items(path, COLUMNS), "train", path)
    assert selected[["item_id", "description"]].to_numpy().tolist() == [["1", "a"], ["2", "b"]]
    assert selected.index.tolist() == [0, 1]


def test_a_column_that_is_missing_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "items.parquet", [("1", "train")], ["item_id", "split"])
    with pytest.raises(
        UserError, match=r"no column description; it has: item_id, split; run `dvc repro catalogue_prepare`"
    ):
        read_items(path, COLUMNS)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("1", "a", "test"), "no item with split train"),
        (("1", None, "train"), "1 items of split train have no description"),
    ],
)
def test_an_unusable_split_is_refused(tmp_path: Path, row: tuple, message: str) -> None:
    path = write(tmp_path / "items.parquet", [row])
    with pytest.raises(UserError, match=rf"items\.parquet.*{message}"):
        select_split(read_items(path, COLUMNS), "train", path)


def test_no_file_and_no_parquet_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    with pytest.raises(UserError, match=r"items\.parquet: no such file; run `dvc repro catalogue_prepare`"):
        read_items(path, COLUMNS)
    path.write_text("not parquet")
    with pytest.raises(UserError, match=r"items\.parquet: not a Parquet file"):
        read_items(path, COLUMNS)
