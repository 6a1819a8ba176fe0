"""Rows become items: variants are joined, and other ids of an item are kept."""

from pathlib import Path

import pandas as pd
import pytest

from lookbook.shops.items import Items, build_items, choose_item_columns
from lookbook.shops.tables import Table, read_table
from pipeline.core.errors import UserError
from tests.helpers.shop_exports import GARMENTS, WRITERS, write_google, write_rows

EXPORTS = {
    **{"shopify": "products_export.csv", "woocommerce": "wc-product-export.csv"},
    **{"magento": "catalog_product.csv", "prestashop": "products.csv"},
}


def read_items(table: Table, **named: str) -> Items:
    return build_items(table, *choose_item_columns(table, named))


def make_items(tmp_path: Path, header: str, *rows: str) -> Items:
    path = tmp_path / "products.csv"
    write_rows(path, header.split(","), [row.split(",") for row in rows])
    return read_items(read_table(path))


@pytest.mark.parametrize("program", EXPORTS)
def test_every_export_gives_the_same_twelve_garments(tmp_path: Path, program: str) -> None:
    WRITERS[program](tmp_path)
    items = read_items(read_table(tmp_path / EXPORTS[program]))
    frame = items.frame
    assert items.layout.name.lower() == program
    assert len(frame) == len(GARMENTS)
    assert frame["item_id"].is_unique
    assert frame["description"].tolist() == [f"<p>{garment.text}</p>" for garment in GARMENTS]
    assert frame["category"].tolist() == [garment.type for garment in GARMENTS]
    if program != "prestashop":  # its products have no colour
        expected = [garment.colours[0] if len(garment.colours) == 1 else None for garment in GARMENTS]
        assert frame["colour"].tolist() == expected
        variants = {sku: frame["item_id"][garment.number] for garment in GARMENTS for sku, _, _ in garment.variants}
        assert any(ids.items() >= variants.items() for ids in items.ids.values())


def test_what_woocommerce_escapes_is_read_as_it_was_written(tmp_path: Path) -> None:
    header = ["ID", "Type", "SKU", "Name", "Published", "Description", "Categories", "Attribute 1 name"]
    row = ["1", "simple", "A", "dress", "1", r"A long dress\nmachine wash", r"Women > Shirts\, Tops, Sale", "Color"]
    path = tmp_path / "products.csv"
    write_rows(path, [*header, "Attribute 1 value(s)"], [[*row, r"Red\, Blue"]])
    frame = read_items(read_table(path)).frame
    assert frame[["description", "category"]].to_numpy().tolist() == [["A long dress\nmachine wash", "Shirts, Tops"]]
    write_rows(path, header, [[*row[:-2], "Women > Coats/Jackets", ""]])
    assert read_items(read_table(path)).frame["category"].tolist() == ["Coats/Jackets"]


def test_two_texts_for_one_id_are_refused_in_a_feed_too(tmp_path: Path) -> None:
    """Such as where a spreadsheet wrote long numbers as 8.71E+12."""
    header = ["id", "title", "description", "image_link"]
    rows = [["8.71E+12", "a", "a dress", "a.jpg"], ["8.71E+12", "b", "a shirt", "b.jpg"]]
    write_rows(tmp_path / "feed.csv", header, rows)
    with pytest.raises(UserError, match=r"feed\.csv: id 8\.71E\+12 has 2 different description"):
        read_items(read_table(tmp_path / "feed.csv"))


def test_a_column_item_with_titles_comes_after_the_sku(tmp_path: Path) -> None:
    items = make_items(tmp_path, "Item,SKU,Description", "Basic dress,A1,red", "Basic dress,A2,red")
    assert items.frame["item_id"].tolist() == ["A1", "A2"]


def test_a_feed_keeps_its_rows_and_their_group(tmp_path: Path) -> None:
    write_google(tmp_path)
    frame = read_items(read_table(tmp_path / "feed.tsv")).frame
    assert frame["item_id"].tolist() == [f"{garment.sku}-{c[0]}" for garment in GARMENTS for c in garment.colours]
    assert frame["product_code"].tolist() == [garment.sku for garment in GARMENTS for _ in garment.colours]
    assert frame["category"].unique().tolist() == ["Dresses", "Shirts"]


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("Item Type,Product ID,Product Name,Product Code/SKU,Product Description,Category", "SKU"),
        ("Item,ID,Name,SKU,Description,Categories,Type,Options", "Variant"),
    ],
    ids=["bulk edit", "since 2023"],
)
def test_rows_below_a_product_of_bigcommerce_are_its_variants(tmp_path: Path, header: str, kind: str) -> None:
    items = (
        make_items(
            tmp_path,
            header,
            "Product,7,Dress,D-1,A long dress,Shop All;Shop All/Dresses,,",
            f"{kind},8,,D-1-S,,,,",
            f"{kind},9,,D-1-M,,,,",
            "Product,10,Shirt,S-1,A shirt,Shop All/Shirts,,",
        )
        if header.count(",") == 7
        else make_items(
            tmp_path,
            header,
            "Product,7,Dress,D-1,A long dress,Shop All;Shop All/Dresses",
            f"{kind},8,,D-1-S,,",
            f"{kind},9,,D-1-M,,",
            "Product,10,Shirt,S-1,A shirt,Shop All/Shirts",
        )
    )
    assert items.frame["item_id"].tolist() == ["7", "10"]
    assert items.frame["category"].tolist() == ["Dresses", "Shirts"]
    assert {"D-1-S": "7", "D-1-M": "7", "S-1": "10"}.items() <= items.ids[items.table.columns[3]].items()


def test_rows_of_a_plain_table_with_one_id_and_one_text_are_joined(tmp_path: Path) -> None:
    items = make_items(tmp_path, "Product ID,Title,Size,Color", "1,a dress,S,red", "1,,M,red", "2,a shirt,S,blue")
    assert items.frame["item_id"].tolist() == ["1", "2"]
    assert items.frame["description"].tolist() == ["a dress", "a shirt"]
    assert items.frame["colour"].tolist() == ["red", "blue"]
    assert items.notes == ["3 rows joined to 2 items (variants, sizes, further pictures)"]


def test_two_texts_of_one_id_and_an_empty_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"products\.csv: id 1 has 2 different title \(1 such ids\)"):
        make_items(tmp_path, "id,title", "1,a dress", "1,a shirt", "2,a hat")
    with pytest.raises(UserError, match=r"products\.csv: column id is empty in row 2"):
        make_items(tmp_path, "id,title", "1,a dress", ",a shirt")


def test_an_id_of_two_items_names_neither(tmp_path: Path) -> None:
    items = make_items(tmp_path, "product_id,title,sku", "1,a dress,X", "2,a shirt,X", "3,a hat,Y")
    assert items.ids == {"product_id": {"1": "1", "2": "2", "3": "3"}, "sku": {"Y": "3"}}


def test_a_plain_table_stays_as_it_is(tmp_path: Path) -> None:
    items = make_items(tmp_path, "id,title,type", "2,a dress,Home > Dresses", "1,a shirt,Shirts")
    assert items.notes == []
    assert items.frame["category"].tolist() == ["Home > Dresses", "Shirts"]
    pd.testing.assert_series_equal(items.frame["item_id"], items.table.rows["id"], check_names=False)
