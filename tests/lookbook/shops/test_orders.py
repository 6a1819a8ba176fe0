"""Orders become purchases: of known items, by numbered customers, without cancelled orders."""

from pathlib import Path

import pandas as pd
import pytest

from lookbook.shops.items import Items, build_items, choose_item_columns
from lookbook.shops.orders import Purchases, build_purchases, choose_order_columns, is_plain, refuse_strangers
from lookbook.shops.tables import read_table
from pipeline.core.errors import UserError
from tests.helpers.shop_exports import BOUGHT, WRITERS, write_rows

FILES = {
    "shopify": ("products_export.csv", "orders_export.csv"),
    "woocommerce": ("wc-product-export.csv", "orders-2024.csv"),
    "magento": ("catalog_product.csv", "sales_order_items.csv"),
    "prestashop": ("products.csv", "order_details.csv"),
}


def read_both(items: Path, orders: Path) -> tuple[Items, Purchases]:
    table = read_table(items)
    known = build_items(table, *choose_item_columns(table, {}))
    return known, choose_order_columns(read_table(orders), {}, known)


def make_both(tmp_path: Path, header: str, *rows: str) -> tuple[Items, Purchases]:
    write_rows(
        tmp_path / "products.csv", ["product_id", "sku", "title"], [["1", "A", "a dress"], ["2", "B", "a shirt"]]
    )
    write_rows(tmp_path / "orders.csv", header.split(","), [row.split(",") for row in rows])
    return read_both(tmp_path / "products.csv", tmp_path / "orders.csv")


@pytest.mark.parametrize("program", FILES)
def test_every_export_gives_the_same_purchases(tmp_path: Path, program: str) -> None:
    WRITERS[program](tmp_path)
    items, orders = read_both(*(tmp_path / name for name in FILES[program]))
    frame, notes = build_purchases(orders, items)
    numbers = dict(zip(items.frame["item_id"], range(12), strict=True))
    assert frame["item_id"].map(numbers).tolist() == [number for _, number, _ in BOUGHT]
    days = [day for _, _, day in BOUGHT]
    if program == "shopify":  # two rows an order, of which the first has the day
        days = [days[index - index % 2] for index in range(len(days))]
    assert frame["date"].tolist() == days
    users = [user for user, _, _ in BOUGHT]
    assert pd.factorize(frame["user_id"])[0].tolist() == pd.factorize(pd.Series(users))[0].tolist()
    assert not frame.map(lambda cell: "@" in cell).any(axis=None)
    assert any("cancelled" in note for note in notes) == (program in ("shopify", "woocommerce"))


def test_the_column_that_names_most_items_is_taken(tmp_path: Path) -> None:
    _, orders = make_both(tmp_path, "user,id,date,product_code", "u1,900,2024-01-01,B", "u2,901,2024-01-02,A")
    assert orders.choice.columns["purchased"] == "product_code"
    assert orders.id_column == "sku"


def test_a_plain_file_is_read_as_it_is(tmp_path: Path) -> None:
    assert is_plain(*reversed(make_both(tmp_path, "Customer,ID,Order Date", "u1,1,2024-01-01")))


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("Customer,SKU,Order Date", "u1,A,2024-01-01"),
        ("Customer,ID,Order Date,Status", "u1,1,2024-01-01,Cancelled"),
        ("Customer,ID,Order Date", "ann@mail.example,1,2024-01-01"),
        ("Customer,ID,Order Date", "u1,1,2024-01-01 10:00:00 +0200"),
        ("Customer, ID,Order Date", "u1,1,2024-01-01"),
    ],
    ids=["another id", "cancelled", "addresses", "with a time", "spaces"],
)
def test_any_other_is_written_anew(tmp_path: Path, header: str, row: str) -> None:
    assert not is_plain(*reversed(make_both(tmp_path, header, row)))


def test_what_is_left_out_is_counted_once(tmp_path: Path) -> None:
    rows = [
        "u1,1,2024-01-01,paid",
        ",1,2024-01-02,paid",
        ",2,2024-01-02,voided",
        "u2,,2024-01-03,paid",
        "u2,9,2024-01-04,paid",
    ]
    items, orders = make_both(tmp_path, "user,item,date,status", *rows)
    frame, notes = build_purchases(orders, items)
    assert frame.to_numpy().tolist() == [["u1", "1", "2024-01-01"], ["u2", "9", "2024-01-04"]]
    assert notes == [
        *("1 row(s) of cancelled orders: left out", "1 row(s) without a customer: left out"),
        "1 row(s) without an item: left out",
    ]


def test_one_address_in_two_cases_is_one_customer(tmp_path: Path) -> None:
    rows = ["Ann@mail.example,1,2024-01-01", "ann@mail.example,2,2024-01-01", "bo@mail.example,1,2024-01-01"]
    frame, _ = build_purchases(*reversed(make_both(tmp_path, "email,item,date", *rows)))
    assert frame["user_id"].tolist() == ["customer-1", "customer-1", "customer-2"]


def test_orders_of_strangers_are_refused_with_an_id_of_each_side(tmp_path: Path) -> None:
    items, orders = make_both(tmp_path, "user,item,date", "u1,P-77,2024-01-01")
    with pytest.raises(
        UserError, match=r"orders\.csv: no row is of an item: item has P-77, and .* has product_id 1, sku A;"
    ):
        refuse_strangers(orders, items)
