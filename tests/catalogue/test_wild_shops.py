"""Shops as they are exported: each gives the numbers of the clean files, or a message that names what is wrong."""

import csv
import json
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from catalogue import prepare
from pipeline.core.errors import UserError
from tests.helpers.wild_shop import Row, draw, list_purchases, list_rows, write_items, write_pictures, write_shop
from tests.helpers.wild_shop import write_purchases as write

CASES = Path(__file__).parents[1] / "cases"
SHOP = Path("data/raw/wild")


@pytest.fixture
def rows(study: Callable[..., None]) -> list[Row]:
    """Write a clean shop into the working project, and return its items."""
    study(dataset="wild")
    return write_shop(SHOP)


def take_case(name: str, *files: str) -> None:
    for file in files or ("items.csv",):
        shutil.copy(CASES / name / file, SHOP / file)


def counts() -> dict:
    prepare.main()
    return json.loads(Path("metrics/catalogue.json").read_text())


def items() -> pd.DataFrame:
    return pd.read_parquet("data/prepared/items.parquet").set_index("item_id")


def purchases() -> list[tuple[str, str, int]]:
    return list(pd.read_parquet("data/prepared/purchases.parquet").itertuples(index=False, name=None))


def refusal() -> str:
    with pytest.raises(UserError) as error:
        prepare.main()
    assert not list(Path("data").glob("prepared*"))
    assert not Path("metrics/catalogue.json").exists()
    return str(error.value)


def edit(name: str, old: str, new: str) -> None:
    text = (SHOP / name).read_text(encoding="utf-8")
    assert old in text
    (SHOP / name).write_text(text.replace(old, new), encoding="utf-8")


def test_the_clean_shop(rows: list[Row], capsys: pytest.CaptureFixture[str]) -> None:
    found = counts()
    assert (found["articles"], found["with_image"], found["purchases"], found["users"]) == (40, 40, 72, 12)
    assert "purchases_without_user" not in found
    assert "picture" not in capsys.readouterr().out
    assert items()["description"].tolist() == [row["description"] for row in rows]


@pytest.mark.parametrize("columns", [{}, {"day": "time"}])
def test_days_with_a_time_and_seconds_are_days(rows: list[Row], study: Callable[..., None], columns: dict) -> None:
    take_case("12-dates", "items.csv")
    name = "p2.csv" if columns else "purchases.csv"
    shutil.copy(CASES / "12-dates" / name, SHOP / "purchases.csv")
    named = {"user": "customer_id", "purchased": "sku", "day": "timestamp"} | columns
    study(dataset="wild", catalogue_prepare={"columns": column_names(**named)})
    assert counts()["purchases"] == 72
    raw = pd.read_csv(CASES / "12-dates" / name)
    moments = pd.to_datetime(raw.iloc[:, 2], unit="s" if columns else None)
    assert [day for _, _, day in purchases()] == ((moments - pd.Timestamp(0)).dt.days).tolist()


def column_names(**changes: str) -> dict[str, str]:
    names = {"item": "item_id", "description": "description", "category": "category", "product": "", "colour": ""}
    return names | {"image": "", "user": "user_id", "purchased": "item_id", "day": "date"} | changes


@pytest.mark.parametrize("day", ["19367", "10.01.2023", "1.67336E+12", "", "0000-00-00"])
def test_a_day_of_no_known_form_is_refused(rows: list[Row], day: str) -> None:
    write(SHOP, [*list_purchases(rows), ("u1", "A001", day)])
    assert f"purchases.csv: column date: '{day}' is no day" in refusal()


def test_purchases_without_a_user_are_left_out_and_said(rows: list[Row], capsys: pytest.CaptureFixture[str]) -> None:
    take_case("09-guests", "items.csv", "purchases.csv")
    found = counts()
    assert (found["purchases"], found["users"], found["purchases_without_user"]) == (48, 8, 24)
    assert found["purchases_read"] == 72
    assert "0 of unknown articles, 24 without a user left out" in capsys.readouterr().out


@pytest.mark.parametrize("word", ["NULL", "nan", "None", r"\N", " ", "guest", "Anonymous", "n/a"])
def test_a_word_for_nobody_is_no_user(rows: list[Row], word: str) -> None:
    bought = list_purchases(rows)
    write(SHOP, [*bought, (word, "A001", "2023-01-10"), (word, "A002", "2023-01-10")])
    found = counts()
    assert (found["purchases"], found["users"], found["purchases_without_user"]) == (72, 12, 2)


def test_words_for_a_missing_description_are_none(rows: list[Row]) -> None:
    take_case("07-null-text")
    assert counts()["without_description"] == 20


@pytest.mark.parametrize("word", ["NULL", "None", "nan", r"\N"])
def test_a_word_for_a_missing_product_groups_nothing(rows: list[Row], study: Callable[..., None], word: str) -> None:
    write_items(SHOP, [row | {"style": word, "shade": word} for row in rows], (*list(rows[0])[:3], "style", "shade"))
    study(dataset="wild", catalogue_prepare={"columns": column_names(product="style", colour="shade")})
    assert counts()["groups"] == 40
    assert set(items()["colour"]) == {"other"}


def test_markup_is_no_description(rows: list[Row]) -> None:
    take_case("08-html")
    assert counts()["without_description"] == 10
    words = items()["description"].dropna()
    assert words["A001"] == "a blue shirt number 1 in soft cotton with a round neck & ribbed cuffs. 100% cotton"
    assert not words.str.contains("[<>]|&[a-z#]", regex=True).any()


@pytest.mark.parametrize("name", ["items_head.csv", "items2_head.csv"])
def test_commas_at_the_end_of_rows_shift_nothing(rows: list[Row], name: str) -> None:
    shutil.copy(CASES / "05-trailing-comma" / name, SHOP / "items.csv")
    with open(SHOP / "items.csv", newline="") as file:
        n_rows = sum(1 for _ in file) - 1
    refused = refusal() if n_rows < 10 else None
    assert refused is None or f"'articles': {n_rows}, 'with_description': {n_rows}, 'with_image': {n_rows}" in refused


def test_commas_at_the_end_of_purchases_shift_nothing(rows: list[Row]) -> None:
    prepare.main()
    before = purchases()
    lines = (SHOP / "purchases.csv").read_text().splitlines()
    (SHOP / "purchases.csv").write_text("\n".join([lines[0], *(f"{line},," for line in lines[1:])]))
    prepare.main()
    assert purchases() == before


def test_headers_with_spaces_quotes_and_marks_are_read(rows: list[Row], study: Callable[..., None]) -> None:
    prepare.main()
    before = items(), purchases()
    edit("items.csv", "item_id,description,category", '\ufeffitem_id, "Text, long" ,category')
    edit("items.csv", '"Text, long" ,', '"Text, long",')
    edit("purchases.csv", "user_id,item_id,date", '\ufeffuser_id, item_id, "day, or\n so"')
    names = column_names(description="Text, long", day="day, or\n so")
    study(dataset="wild", catalogue_prepare={"columns": names})
    prepare.main()
    pd.testing.assert_frame_equal(items(), before[0])
    assert purchases() == before[1]


def test_a_column_that_is_empty_throughout(rows: list[Row], study: Callable[..., None]) -> None:
    write_items(SHOP, [row | {"shade": ""} for row in rows], (*list(rows[0])[:3], "shade"))
    study(dataset="wild", catalogue_prepare={"columns": column_names(colour="shade", product="shade")})
    assert counts()["groups"] == 40
    study(dataset="wild")
    write_items(SHOP, [row | {"description": ""} for row in rows])
    shutil.rmtree("data/prepared")
    Path("metrics/catalogue.json").unlink()
    assert "no article passes the filters ({'articles': 40, 'with_description': 0" in refusal()


def test_pictures_of_every_kind_are_found(rows: list[Row], study: Callable[..., None]) -> None:
    endings = (".jpg", ".avif", ".jfif", ".JPG")
    shutil.rmtree(SHOP / "images")
    write_pictures(SHOP, rows, lambda row: row["item_id"] + endings[int(row["item_id"][1:]) % 4])
    for path in (SHOP / "images").glob("*.avif"):
        shutil.copy(CASES / "21-avif-jfif/A001.avif", path)
    for name, column in (("items.csv", "image"), ("noimg.csv", "")):
        shutil.copy(CASES / "21-avif-jfif" / name, SHOP / "items.csv")
        study(dataset="wild", catalogue_prepare={"columns": column_names(image=column)})
        assert counts()["with_image"] == 40


@pytest.mark.parametrize(
    "name",
    ["{}.jpeg", "{}.jpe", " {} .jpg", "{}.JPG", "deep/er/{}.jpg"],
    ids=["jpeg", "jpe", "spaces", "upper", "below"],
)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("column", ["", "image"])
def test_pictures_match_in_any_spelling(
    rows: list[Row], study: Callable[..., None], name: str, form: str, column: str
) -> None:
    shutil.rmtree(SHOP / "images")
    named = [row | {"item_id": f"Jäckchen-{row['item_id']}"} for row in rows]
    write_pictures(SHOP, named, lambda row: unicodedata.normalize(form, name.format(row["item_id"])))
    other = "NFD" if form == "NFC" else "NFC"
    for row in named:
        row["item_id"] = unicodedata.normalize(other, row["item_id"])
        row["image"] = unicodedata.normalize(other, name.format(row["item_id"]))
    write_items(SHOP, named, (*list(rows[0])[:3], "image"))
    (SHOP / "purchases.csv").unlink()
    study(dataset="wild", catalogue_prepare={"columns": column_names(image=column)})
    assert counts()["with_image"] == 40


def test_two_ids_that_differ_in_case_keep_their_own_pictures(rows: list[Row]) -> None:
    for old, new in (("A000", "k1"), ("A001", "K1")):
        edit("items.csv", old, new)
        edit("purchases.csv", f",{old},", f",{new},")
        (SHOP / f"images/{old}.jpg").rename(SHOP / f"images/{new}.jpg")
    raw = prepare.load_reader("wild").open_raw(SHOP, prepare.read(prepare.Params).catalogue_prepare)
    assert (raw.read_image("k1"), raw.read_image("K1")) == (draw(0), draw(1))


def test_what_has_no_counterpart_is_counted_with_the_first_five(
    rows: list[Row], capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(7):
        (SHOP / f"images/A00{number}.jpg").rename(SHOP / f"images/other-{number}.jpg")
    assert counts()["with_image"] == 33
    last = capsys.readouterr().out
    assert "; 7 articles without a picture, first A000, A001, A002, A003, A004, …; 7 pictures of no article" in last
    assert f"first {SHOP}/images/other-0.jpg" in last


def test_pictures_of_other_names_are_refused_with_both(rows: list[Row]) -> None:
    for path in (SHOP / "images").iterdir():
        path.rename(path.with_stem(f"IMG_{path.stem}"))
    message = refusal()
    assert "none of the 40 pictures is named after an item" in message
    assert "IMG_A000.jpg, items such as A000" in message


def test_two_pictures_of_an_item_are_refused_unless_they_are_equal(rows: list[Row]) -> None:
    (SHOP / "images/A003.png").write_bytes(draw(9, "PNG"))
    message = refusal()
    assert "1 item(s) have several pictures, first A003: " in message
    assert "images/A003.jpg and " in message
    (SHOP / "images/A003.png").unlink()
    (SHOP / "images/copies").mkdir()
    shutil.copy(SHOP / "images/A003.jpg", SHOP / "images/copies/A003.jpg")
    assert counts()["with_image"] == 40


def test_purchases_of_unknown_articles_alone_are_refused_with_both_ids(rows: list[Row]) -> None:
    write(SHOP, [(user, f"{item}.0", day) for user, item, day in list_purchases(rows)])
    message = refusal()
    assert "none of the 72 purchases is of a known user and article" in message
    assert "A008.0" in message
    assert "articles A000, A001" in message


@pytest.mark.slow
def test_line_ends_in_quotes_are_read_in_a_file_of_any_size(rows: list[Row], tmp_path: Path) -> None:
    take_case("32-newline-in-orders", "items.csv")
    shutil.copy(CASES / "32-newline-in-orders/small.csv", SHOP / "purchases.csv")
    assert counts()["purchases_read"] == 60
    note = "Please ring, floor 2\n" + "Leave it, with: u1,A001,2023-01-01,neighbour " * 4 + "\nThanks"
    with open(SHOP / "purchases.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("user_id", "item_id", "date", "note"))
        writer.writerows(
            (f"u{k % 3000}", f"A{k % 40:03d}", "2023-01-10", note if k % 2 else "") for k in range(360_000)
        )
    assert (SHOP / "purchases.csv").stat().st_size > 40_000_000
    assert counts()["purchases_read"] == 360_000


def test_a_quote_that_is_not_closed_swallows_nothing(rows: list[Row]) -> None:
    edit("purchases.csv", "u11,", 'u11,"')
    lines = (SHOP / "purchases.csv").read_text().split("u11,")
    (SHOP / "purchases.csv").write_text("u11,".join(lines[:2]) + "u11," + lines[2].removeprefix('"'))
    assert "purchases.csv" in refusal()


def test_a_clean_shop_of_more_rows_is_the_same(rows: list[Row]) -> None:
    assert list_rows(3) == rows[:3]
