"""Any shop's tables: columns by the names that params.yaml gives them, and what is refused."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import pytest
from PIL import Image

from catalogue.prepared.views import name_view
from catalogue.readers import Raw, shop
from catalogue.readers.settings import ReaderSettings
from pipeline.core.errors import UserError
from pipeline.core.params import load

ROOT = Path(__file__).parents[3]
ITEMS = {
    "sku": ["7", "007", "A-1"],
    "title": ["Red dress.", " ", "Blue shirt."],
    "kind": ["dress", "", "shirt"],
    "style": ["s1", "s1", ""],
    "shade": ["red", "red", ""],
    "file": ["a/front.png", "", "b.jpg"],
}
COLUMNS = {
    "item": "sku",
    "description": "title",
    "category": "kind",
    "product": "style",
    "colour": "shade",
    "image": "file",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images/a").mkdir(parents=True)
    for name in ("a/front.png", "b.jpg", "007.webp"):
        Image.new("RGB", (8, 8), "red").save(tmp_path / "images" / name)
    pd.DataFrame(ITEMS).to_csv(tmp_path / "items.csv", index=False)
    (tmp_path / "purchases.csv").write_text("user_id,item_id,date\nu,007,2020-02-29\nv,A-1,1970-01-02\n")
    return tmp_path


def open_raw(folder: Path, images: Literal["first", "all"] = "first", **columns: str) -> Raw:
    section: dict[str, Any] = load(ROOT / "studies/sample.yaml")["catalogue_prepare"]
    named = section["columns"] | COLUMNS | columns
    return shop.open_raw(folder, ReaderSettings(columns=named, facad_test="refuse", images=images))


def add_picture(folder: Path, name: str, shade: int) -> None:
    Image.new("RGB", (8, 8), (shade, 0, 0)).save(folder / "images" / name)


def test_columns_are_read_by_their_names(folder: Path) -> None:
    articles = open_raw(folder).articles
    assert articles["item_id"].tolist() == ["7", "007", "A-1"]
    assert articles["description"].tolist()[::2] == ["Red dress.", "Blue shirt."]
    assert articles["description"].isna()[1]
    assert articles["category"].tolist() == ["dress", "item", "shirt"]
    assert articles["product_code"].tolist() == ["s1", "s1", "A-1"]
    assert articles["colour"].tolist() == ["red", "red", "other"]


def test_a_description_is_one_line(folder: Path) -> None:
    """A line end inside would end the caption for BLIP-2 with OPT."""
    path = folder / "items.csv"
    text = path.read_text()
    assert "Red dress." in text
    path.write_text(text.replace("Red dress.", '" Red\n\n dress.\t"'))
    assert open_raw(folder).articles["description"][0] == "Red dress."


def test_without_the_columns_that_may_be_missing(folder: Path) -> None:
    raw = open_raw(folder, category="", product="", colour="", image="")
    assert raw.articles["category"].tolist() == ["item"] * 3
    assert raw.articles["product_code"].tolist() == ["7", "007", "A-1"]
    assert list(raw.image_names) == ["007"]  # by the file's name, without its ending


def test_pictures_are_those_that_the_table_names(folder: Path) -> None:
    raw = open_raw(folder)
    assert raw.image_names == {"7": str(folder / "images/a/front.png"), "A-1": str(folder / "images/b.jpg")}
    assert raw.read_image("A-1") == (folder / "images/b.jpg").read_bytes()


def test_of_several_pictures_in_a_cell_the_first_counts_or_all_do(folder: Path) -> None:
    items = pd.read_csv(folder / "items.csv", dtype=str)
    items.loc[0, "file"] = "a/front.png|images/b.jpg; 007.webp".replace("; ", "|")
    items.to_csv(folder / "items.csv", index=False)
    front = str(folder / "images/a/front.png")
    assert open_raw(folder).image_names == {"7": front, "A-1": str(folder / "images/b.jpg")}
    raw = open_raw(folder, "all")
    assert {name: Path(path).name for name, path in raw.image_names.items()} == {
        "7": "front.png",
        name_view("7", 2): "b.jpg",
        name_view("7", 3): "007.webp",
        "A-1": "b.jpg",
    }
    assert raw.read_image(name_view("7", 3)) == (folder / "images/007.webp").read_bytes()
    assert name_view("7", 3) in raw.stamps


def test_a_further_picture_that_does_not_exist_is_refused(folder: Path) -> None:
    items = pd.read_csv(folder / "items.csv", dtype=str)
    items.loc[0, "file"] = "a/front.png|back.jpg"
    items.to_csv(folder / "items.csv", index=False)
    assert "7" in open_raw(folder).image_names
    with pytest.raises(UserError, match=r"1 picture\(s\) of column file do not exist, first back\.jpg"):
        open_raw(folder, "all")


def test_pictures_named_after_an_item_and_a_number_are_further_ones(folder: Path) -> None:
    """`7-10` is the tenth of item 7; `A-1` is an item of its own; with the first alone, `7-2` is of no item."""
    for shade, name in enumerate(["7.png", "7-2.png", "7_10.jpg", "A-1.png", "A-1 1.png"]):
        add_picture(folder, name, shade)
    raw = open_raw(folder, "all", image="")
    assert {name: Path(path).name for name, path in raw.image_names.items()} == {
        "7": "7.png",
        name_view("7", 2): "7-2.png",
        name_view("7", 3): "7_10.jpg",
        "007": "007.webp",
        "A-1": "A-1.png",
        name_view("A-1", 2): "A-1 1.png",
    }
    assert sorted(open_raw(folder, image="").image_names) == ["007", "7", "A-1"]


def test_pictures_may_be_in_one_zip(folder: Path) -> None:
    before = {item: open_raw(folder).read_image(item) for item in ("7", "A-1")}
    with zipfile.ZipFile(folder / "images.zip", "w") as archive:
        for path in (folder / "images").rglob("*.*"):
            archive.write(path, path.relative_to(folder))
            path.unlink()
    raw = open_raw(folder)
    assert {item: raw.read_image(item) for item in raw.image_names} == before


def test_purchases_come_in_file_order(folder: Path) -> None:
    [batch] = open_raw(folder).read_purchases()
    assert batch.to_pydict() == {"user_id": ["u", "v"], "item_id": ["007", "A-1"], "day": [18321, 1]}


def test_a_shop_without_purchases(folder: Path) -> None:
    (folder / "purchases.csv").unlink()
    assert list(open_raw(folder).read_purchases()) == []


def items(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    return lambda folder: change(pd.DataFrame(ITEMS)).to_csv(folder / "items.csv", index=False)


def link_the_pictures(folder: Path) -> None:
    (folder / "images").rename(folder.parent / "pictures")
    (folder / "images").symlink_to(folder.parent / "pictures")


REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "no items": (lambda folder: (folder / "items.csv").unlink(), r"items\.csv: no such file; `lookbook init"),
    "no such column": (items(lambda table: table.drop(columns="title")), "no column title; found sku, kind"),
    "an empty id": (
        items(lambda table: table.assign(sku=["7", "", "8"])),
        r"column sku is empty in 1 row\(s\), first in row 2",
    ),
    "an id twice": (items(lambda table: table.assign(sku=["7", "7", "8"])), "sku 7 occurs more than once"),
    "a picture that is not there": (
        lambda folder: (folder / "images/b.jpg").unlink(),
        r"1 picture\(s\) of column file do not exist, first .*b\.jpg",
    ),
    "no pictures": (
        lambda folder: [path.unlink() for path in (folder / "images").rglob("*.*")] and None,
        r"images: no pictures",
    ),
    "pictures behind a link": (link_the_pictures, "a link to a folder, into which DVC does not look"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_wrong_is_named(folder: Path, kind: str) -> None:
    spoil, message = REFUSED[kind]
    spoil(folder)
    with pytest.raises(UserError, match=message) as refusal:
        open_raw(folder)
    assert str(folder) in str(refusal.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [("u,007,29.2.2020", "days are written as"), ("u,007", r"line 2: 2 cells for \d columns")],
)
def test_a_wrong_purchase_is_named(folder: Path, line: str, message: str) -> None:
    (folder / "purchases.csv").write_text(f"user_id,item_id,date\n{line}\n")
    with pytest.raises(UserError, match=rf"purchases\.csv.*{message}"):
        list(open_raw(folder).read_purchases())


def test_purchases_without_a_column(folder: Path) -> None:
    (folder / "purchases.csv").write_text("user,item_id,date\nu,007,2020-01-01\n")
    with pytest.raises(UserError, match=r"purchases\.csv: no column user_id; found user, .*catalogue_prepare\.columns"):
        list(open_raw(folder).read_purchases())
