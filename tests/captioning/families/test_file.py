"""Captions made elsewhere: all formats are read alike, and a file that does not fit is refused with counts and ids."""

from pathlib import Path

import pandas as pd
import pytest

from captioning.families.file import read_captions
from pipeline.core.errors import UserError

IDS = [f"{number:010d}" for number in (3, 7, 9)]
ALL_IDS = [f"{number:010d}" for number in range(12)]
CAPTIONS = {item: f"a shirt, {number}" for number, item in enumerate(ALL_IDS[::-1])}
TABLE = pd.DataFrame({"id": list(CAPTIONS), "caption": list(CAPTIONS.values())})


def write(folder: Path, table: pd.DataFrame, name: str = "captions.csv") -> Path:
    path = folder / name
    if path.suffix == ".csv":
        table.to_csv(path, index=False)
    elif path.suffix == ".json":
        table.to_json(path, orient="records")
    else:
        table.to_parquet(path)
    return folder


def refused(match: str, folder: Path) -> None:
    with pytest.raises(UserError, match=match):
        read_captions(folder, "pt", IDS, ALL_IDS)


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
@pytest.mark.parametrize("key", ["id", "item_id", "image_id"])
def test_every_format_gives_the_same_table(tmp_path: Path, ending: str, key: str) -> None:
    folder = write(tmp_path, TABLE.rename(columns={"id": key}).assign(more=1), f"captions.{ending}")
    table = read_captions(folder, "pt", IDS, ALL_IDS)
    assert table["item_id"].tolist() == IDS
    assert table["caption"].tolist() == [CAPTIONS[item] for item in IDS]
    assert table["tokens"].tolist() == [3, 3, 3]
    assert table["finished"].tolist() == [True] * 3


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_what_a_captioner_wrote_here_comes_back_whole(tmp_path: Path, ending: str) -> None:
    rows = TABLE.rename(columns={"id": "item_id"}).assign(tokens=range(12), finished=[True, False] * 6)
    table = read_captions(write(tmp_path, rows, f"captions.{ending}"), "ft", IDS, ALL_IDS)
    expected = rows.set_index("item_id").loc[IDS].reset_index()
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("tokens", "", "tokens are no whole number"),
        ("tokens", "2.5", "no whole number"),
        ("finished", "", "neither true nor false"),
    ],
)
def test_an_unreadable_cell_is_refused_by_id(tmp_path: Path, column: str, value: str, message: str) -> None:
    rows = TABLE.assign(**{column: ["1" if column == "tokens" else "True"] * 11 + [value]})
    with pytest.raises(UserError, match=f"1 values of .*{message}, first {TABLE['id'].iloc[-1]}"):
        read_captions(write(tmp_path, rows), "pt", IDS, ALL_IDS)


def test_an_empty_caption_is_one_and_in_json_so_are_words_for_a_missing_value(tmp_path: Path) -> None:
    rows = TABLE.assign(caption=["", "N/A", "null", *TABLE["caption"][3:]])
    table = read_captions(write(tmp_path, rows, "captions.json"), "pt", ALL_IDS[:0:-1][:3], ALL_IDS)
    assert table["caption"].tolist() == ["", "N/A", "null"]
    assert table["tokens"].tolist() == [0, 1, 1]


@pytest.mark.parametrize("ending", ["csv", "json", "parquet"])
def test_of_several_ids_the_item_id_counts(tmp_path: Path, ending: str) -> None:
    """As for `lookbook score`: tests/captioning/interchange/test_caption_files.py."""
    rows = TABLE.rename(columns={"id": "item_id"}).assign(image_id=ALL_IDS, id=range(12))
    table = read_captions(write(tmp_path, rows, f"captions.{ending}"), "pt", IDS, ALL_IDS)
    assert table["caption"].tolist() == [CAPTIONS[item] for item in IDS]


def test_before_and_after_may_differ(tmp_path: Path) -> None:
    write(tmp_path, TABLE)
    write(tmp_path, TABLE.assign(caption="after"), "captions-ft.json")
    captions = {variant: set(read_captions(tmp_path, variant, IDS, ALL_IDS)["caption"]) for variant in ("pt", "ft")}
    assert captions == {"pt": {CAPTIONS[item] for item in IDS}, "ft": {"after"}}


def test_missing_ids_are_counted_and_named(tmp_path: Path) -> None:
    write(tmp_path, TABLE[TABLE["id"].isin(ALL_IDS[8:])])
    refused(
        "2 of 3 items of the test split or without description have no caption, first 0000000003, 0000000007", tmp_path
    )


def test_unknown_ids_are_counted_and_the_first_five_named(tmp_path: Path) -> None:
    write(tmp_path, pd.concat([TABLE, TABLE.assign(id=[f"x{number}" for number in range(12)])]))
    refused(r"12 of 24 ids are not in data/prepared/items\.parquet, first x0, x1, x2, x3, x4, …$", tmp_path)


def test_ids_that_come_twice_are_counted_once(tmp_path: Path) -> None:
    write(tmp_path, pd.concat([TABLE, TABLE[:2], TABLE[:2]]))
    refused("2 ids come more than once, first 0000000011, 0000000010$", tmp_path)


@pytest.mark.parametrize("ending", ["json", "parquet"])
def test_a_caption_that_is_no_text_is_named(tmp_path: Path, ending: str) -> None:
    rows = TABLE.assign(caption=[None, *TABLE["caption"][1:]])
    refused("1 captions are no text, first 0000000011", write(tmp_path, rows, f"captions.{ending}"))


def test_a_word_for_a_missing_value_in_a_csv_file_is_no_caption(tmp_path: Path) -> None:
    rows = TABLE.assign(caption=["NULL", "", *TABLE["caption"][2:]])
    refused("1 captions are no text, first 0000000011", write(tmp_path, rows))


def test_what_is_no_table_of_captions_is_refused(tmp_path: Path) -> None:
    refused(r"no captions-pt and no captions, ending in \.csv, \.json, \.parquet", tmp_path)
    (tmp_path / "captions.json").write_text("{")
    refused(r"captions\.json: cannot be read as json", tmp_path)
    (tmp_path / "captions.json").unlink()
    (tmp_path / "captions.parquet").write_text("id,caption")
    refused(r"captions\.parquet: cannot be read as parquet", tmp_path)
    (tmp_path / "captions.parquet").unlink()
    write(tmp_path, TABLE.rename(columns={"caption": "text"}))
    refused("row 1 has no `caption`; it has id, text", tmp_path)
    write(tmp_path, TABLE.rename(columns={"id": "key"}))
    refused(r"no `id` \(or item_id, image_id\); it has key, caption", tmp_path)


def test_two_files_are_one_too_many(tmp_path: Path) -> None:
    write(tmp_path, TABLE)
    write(tmp_path, TABLE, "captions.json")
    refused(r"captions\.csv and captions\.json: remove all but one", tmp_path)
