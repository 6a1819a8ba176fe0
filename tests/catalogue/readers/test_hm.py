"""H&M's raw layout: ids, colours, product types, purchases, and images in a zip or in folders."""

import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from catalogue.readers import hm
from catalogue.readers.files import Folder
from pipeline.core.errors import UserError


@pytest.mark.parametrize(
    ("name", "colour"),
    [
        ("Black", "black"),
        ("Dark Blue", "blue"),
        ("Light Turquoise", "turquoise"),
        ("Other Red", "red"),
        ("Off White", "white"),
        ("Dark Grey", "grey"),
        ("Greyish Beige", "beige"),
        ("Bronze/Copper", "bronze"),
        ("Silver", "silver"),
        ("Yellowish Brown", "yellow"),
        ("Unknown", "other"),
    ],
)
def test_colours_are_simplified_by_the_first_rule_that_fits(name: str, colour: str) -> None:
    assert hm.simplify_colour(name) == colour


@pytest.mark.parametrize(
    ("category", "is_fashion"),
    [
        ("T-shirt", True),
        ("Cap/peaked", True),
        ("Earring", True),
        ("Hat/brim", True),
        ("Blanket", False),
        ("Side table", False),
    ],
)
def test_fashion_is_what_contains_a_keyword(category: str, is_fashion: bool) -> None:
    assert hm.fashion_filter()(category) is is_fashion


def write_articles(folder: Path, **changes: list[str]) -> Path:
    columns = {
        "article_id": ["108775015", "0108775044", "0351332007"], "product_code": ["108775", "0108775", "0351332"],
        "product_type_name": ["Vest top", "Vest top", "None"], "colour_group_name": ["Black", "White", "Beige"],
        "detail_desc": ["Jersey top.", "  ", "NA, not a number"],
    }  # fmt: skip
    pd.DataFrame(columns | changes).to_csv(folder / "articles.csv", index=False)
    return folder / "articles.csv"


def articles_of(path: Path) -> pd.DataFrame:
    return hm.read_articles(Folder(path.parent), path.name)


def test_ids_have_ten_digits_and_words_stay_words(tmp_path: Path) -> None:
    articles = articles_of(write_articles(tmp_path))
    assert articles["item_id"].tolist() == ["0108775015", "0108775044", "0351332007"]
    assert articles["product_code"].tolist() == ["0108775", "0108775", "0351332"]
    assert articles["description"].isna().tolist() == [False, True, False]
    assert articles["description"][2] == "NA, not a number"
    assert articles["category"][2] == "None"


def test_duplicate_ids_are_refused_also_when_written_differently(tmp_path: Path) -> None:
    path = write_articles(tmp_path, article_id=["108775015", "0108775015", "0351332007"])
    with pytest.raises(UserError, match=r"articles\.csv: article_id 0108775015 occurs more than once"):
        articles_of(path)


def test_an_article_without_product_type_is_refused(tmp_path: Path) -> None:
    path = write_articles(tmp_path, product_type_name=["Vest top", "", "Dress"])
    with pytest.raises(UserError, match=r"column product_type_name is empty in 1 row\(s\), first in row 2"):
        articles_of(path)


def test_purchases_come_in_file_order_with_days_since_1970(tmp_path: Path) -> None:
    path = tmp_path / "transactions_train.csv"
    path.write_text(
        "t_dat,customer_id,article_id,price,sales_channel_id\n2018-09-20,00b,0351332007,0.05,2\n1970-01-03,00a,108775015,0.05,1\n"
    )
    (batch,) = hm.read_purchases(Folder(path.parent), path.name)
    assert batch.to_pydict() == {"user_id": ["00b", "00a"], "item_id": ["0351332007", "0108775015"], "day": [17794, 2]}


@pytest.mark.parametrize(
    ("line", "message"),
    [("20.9.2018,a,1,1,1", "days are written as"), ("2018-09-20,a", r"line 2: 2 cells for \d columns")],
)
def test_a_wrong_purchase_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "transactions_train.csv"
    path.write_text(f"t_dat,customer_id,article_id,price,sales_channel_id\n{line}\n")
    with pytest.raises(UserError, match=rf"transactions_train\.csv.*{message}"):
        list(hm.read_purchases(Folder(path.parent), path.name))


def test_images_may_be_a_zip_or_folders(small_shop: Path, tmp_path: Path) -> None:
    zipped = hm.open_raw(small_shop)
    folder = Path(shutil.copytree(small_shop, tmp_path / "sample"))
    with zipfile.ZipFile(folder / "images.zip") as archive:
        archive.extractall(folder)
    (folder / "images.zip").unlink()
    (folder / "images" / "010" / "notes.txt").write_text("no image")
    unpacked = hm.open_raw(folder)
    assert list(unpacked.image_names) == list(zipped.image_names)
    assert all(unpacked.read_image(item) == zipped.read_image(item) for item in zipped.image_names)
