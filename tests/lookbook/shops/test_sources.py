"""In a folder, products, orders and pictures are found by what is in them."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from lookbook.shops.sources import Sources, find_sources, refuse_absent
from pipeline.core.errors import UserError
from tests.helpers.shop_exports import WRITERS, write_pictures, write_rows


@pytest.mark.parametrize("program", WRITERS)
def test_the_files_of_every_export_are_told_apart(tmp_path: Path, program: str) -> None:
    WRITERS[program](tmp_path)
    sources = find_sources(tmp_path, Sources())
    assert sources.items
    assert "product" in sources.items.name
    assert sources.purchases
    assert "order" in sources.purchases.name
    assert sources.images == tmp_path
    assert sources.unread == ()


def test_pictures_may_lie_in_a_zip_and_other_tables_are_named(tmp_path: Path) -> None:
    write_rows(tmp_path / "goods.csv", ["Product ID", "Title"], [["1", "a dress"]])
    write_rows(tmp_path / "stock.csv", ["Warehouse", "Quantity"], [["x", "1"]])
    with ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("1.jpg", b"x")
    with ZipFile(tmp_path / "backup.zip", "w") as archive:
        archive.writestr("notes.txt", b"x")
    expected = Sources(tmp_path / "goods.csv", None, tmp_path / "photos.zip", (tmp_path / "stock.csv",))
    assert find_sources(tmp_path, Sources()) == expected


def test_orders_that_lack_a_column_are_known_by_their_name(tmp_path: Path) -> None:
    write_rows(tmp_path / "goods.csv", ["Product ID", "Title"], [["1", "a dress"]])
    write_rows(tmp_path / "Orders 2024.csv", ["Ref", "Who"], [["1", "x"]])
    assert find_sources(tmp_path, Sources()).purchases == tmp_path / "Orders 2024.csv"


def test_reviews_and_orders_without_their_rows_are_not_taken_for_purchases(tmp_path: Path) -> None:
    """A review has a customer, an item and a day too; a table of orders has numbers that are no items."""
    write_rows(tmp_path / "products.csv", ["product_id", "title"], [["1", "a dress"]])
    write_rows(
        tmp_path / "reviews.csv", ["review_id", "customer_id", "sku", "date", "stars"], [["1", "u", "1", "x", "5"]]
    )
    assert find_sources(tmp_path, Sources()).purchases is None
    write_rows(tmp_path / "orders.csv", ["id", "customer_id", "created_at"], [["1", "u", "x"]])
    write_rows(tmp_path / "order_items.csv", ["order_id", "product_id"], [["1", "1"]])
    with pytest.raises(UserError, match=r"2 tables look like orders .*must be joined into one first"):
        find_sources(tmp_path, Sources())


def test_a_text_that_is_no_table_is_no_reason_to_stop(tmp_path: Path) -> None:
    write_rows(tmp_path / "products.csv", ["product_id", "title"], [["1", "a dress"]])
    (tmp_path / "README.txt").write_text("Dear all, hello\nthis, is, no, table\n")
    (tmp_path / "kunden.csv").write_bytes(b"id;name\n1;M\xfcller\n")
    sources = find_sources(tmp_path, Sources())
    assert sources.unread == (tmp_path / "README.txt", tmp_path / "kunden.csv")
    (tmp_path / "products.csv").write_bytes(b"id;title\n1;M\xfcller\n")
    with pytest.raises(UserError, match="UTF-8"):
        find_sources(tmp_path, Sources())


def test_pictures_beside_a_zip_of_pictures_must_be_named(tmp_path: Path) -> None:
    write_rows(tmp_path / "goods.csv", ["Product ID", "Title"], [["1", "a dress"]])
    (tmp_path / "logo.png").touch()
    with ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("1.jpg", b"x")
    with pytest.raises(UserError, match=r"pictures lie in it \(logo\.png\) and in photos\.zip; name one of them"):
        find_sources(tmp_path, Sources())
    images = tmp_path / "photos.zip"
    assert find_sources(tmp_path, Sources(images=images)).images == images


def test_two_tables_of_products_are_refused_and_one_can_be_named(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        write_rows(tmp_path / name, ["Product ID", "Title"], [["1", "a dress"]])
    with pytest.raises(UserError, match=r"2 tables look like products \(a\.csv, b\.csv\); name one with --items"):
        find_sources(tmp_path, Sources())
    assert find_sources(tmp_path, Sources(items=tmp_path / "b.csv")).unread == (tmp_path / "a.csv",)


def test_all_that_is_absent_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--purchases none\.csv: no such file; no table of products .*; no pictures: "):
        refuse_absent(find_sources(tmp_path, Sources()), {"purchases": Path("none.csv")})
    with pytest.raises(UserError, match=r"nowhere: no such folder"):
        find_sources(tmp_path / "nowhere", Sources())
    write_pictures(tmp_path)
    assert find_sources(tmp_path, Sources()).images == tmp_path
