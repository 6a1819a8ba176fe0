"""Orders become purchases: of known items, by numbered customers, without cancelled orders."""

from pathlib import Path

import pandas as pd
import pytest

from lookbook.shops import orders as shop_orders
from lookbook.shops import tables
from lookbook.shops.items import Items, build_items, choose_item_columns
from lookbook.shops.orders import (
    Purchases,
    build_purchases,
    choose_order_columns,
    choose_orders,
    is_plain,
    refuse_strangers,
    survey,
)
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
        ("Customer,ID,Order Date,Quantity", "u1,1,2024-01-01,0"),
    ],
    ids=["another id", "cancelled", "addresses", "with a time", "spaces", "no piece"],
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
        *("1 row(s) of cancelled or refunded orders: left out", "1 row(s) without a customer: left out"),
        "1 row(s) without an item: left out",
    ]


def test_an_id_of_the_rows_is_not_what_was_bought(tmp_path: Path) -> None:
    """Though its numbers are all ids of products, and one product that was bought is no longer sold."""
    rows = ["1,u1,2,2024-01-01", "2,u2,99,2024-01-02"]
    _, orders = make_both(tmp_path, "id,customer_id,product_id,created_at", *rows)
    assert orders.choice.columns["purchased"] == "product_id"


def test_a_column_with_the_name_of_an_id_comes_before_others_with_its_numbers(tmp_path: Path) -> None:
    """Product ids 1 to 4, and SKUs 3 to 6."""
    write_rows(
        tmp_path / "products.csv", ["product_id", "sku", "title"], [[str(n), str(n + 2), "a"] for n in range(1, 5)]
    )
    write_rows(
        tmp_path / "orders.csv", ["customer", "sku", "date"], [["u", "3", "2024-01-01"], ["v", "4", "2024-01-01"]]
    )
    items, orders = read_both(tmp_path / "products.csv", tmp_path / "orders.csv")
    assert build_purchases(orders, items)[0]["item_id"].tolist() == ["1", "2"]


def test_orders_that_name_no_item_lack_the_column(tmp_path: Path) -> None:
    """A table of orders without their rows: its own numbers are no items."""
    rows = ["1,u1,2024-01-01", "2,u2,2024-01-02"]
    _, orders = make_both(tmp_path, "id,customer_id,created_at", *rows)
    assert orders.choice.missing == ["purchased"]


@pytest.mark.parametrize(
    "status",
    ["Refunded", "cancelled by customer", "wc-failed", "Declined", "EXPIRED", "Storniert", "Annulée", "Remboursé"],
)
def test_what_was_cancelled_is_known_in_other_words(tmp_path: Path, status: str) -> None:
    items, orders = make_both(tmp_path, "user,item,date,status", f"u1,1,2024-01-01,{status}", "u2,2,2024-01-01,paid")
    assert build_purchases(orders, items)[0]["item_id"].tolist() == ["2"]


def test_what_was_refunded_in_part_or_is_on_its_way_stays(tmp_path: Path) -> None:
    rows = ["u1,1,2024-01-01,partially_refunded", "u2,2,2024-01-01,shipped"]
    items, orders = make_both(tmp_path, "user,item,date,status", *rows)
    assert len(build_purchases(orders, items)[0]) == 2


def test_pieces_that_came_back_are_left_out(tmp_path: Path) -> None:
    rows = ["u1,1,2024-01-01,1", "u1,1,2024-01-03,-1", "u2,2,2024-01-01,0", "u3,2,2024-01-01,2"]
    frame, notes = build_purchases(*reversed(make_both(tmp_path, "user,item,date,qty", *rows)))
    assert frame["user_id"].tolist() == ["u1", "u3"]
    assert notes == ["2 row(s) of no or returned pieces: left out"]


def test_the_first_row_of_an_order_speaks_for_the_others(tmp_path: Path) -> None:
    """In any table with orders' numbers; a row that has neither belongs to the order above it."""
    rows = ["7,u1,1,2024-01-01", "7,,2,", ",,1,", "8,u2,2,2024-01-02", "9,,1,2024-01-03"]
    items, orders = make_both(tmp_path, "order_id,customer,item,date", *rows)
    frame, notes = build_purchases(orders, items)
    assert frame.to_numpy().tolist() == [
        *(["u1", "1", "2024-01-01"], ["u1", "2", "2024-01-01"], ["u1", "1", "2024-01-01"]),
        ["u2", "2", "2024-01-02"],
    ]
    assert notes == ["1 row(s) without a customer: left out"]
    assert not is_plain(orders, items)


def test_customers_come_before_who_served_them(tmp_path: Path) -> None:
    rows = ["till-1,u1,1,2024-01-01", "till-1,u2,2,2024-01-02"]
    _, orders = make_both(tmp_path, "User,Customer,SKU,Date", *rows)
    assert orders.choice.columns["user"] == "Customer"
    _, orders = make_both(tmp_path, "Customer ID,Email,SKU,Date", *(row.replace("till-1", "0") for row in rows))
    assert orders.choice.columns["user"] == "Email"


def test_all_rows_decide_whether_a_file_is_read_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And of which items and customers they are; the first part of a file may be unlike the rest."""
    rows = (
        [["old", "9", "2024-01-01"]] * 30 + [["till", "1", "2024-01-01"]] * 40 + [["x@mail.example", "2", "2024-01-01"]]
    )
    write_rows(tmp_path / "products.csv", ["item_id", "title"], [["1", "a dress"], ["2", "a shirt"]])
    write_rows(tmp_path / "orders.csv", ["user", "item_id", "date"], rows)
    table = read_table(tmp_path / "products.csv")
    items = build_items(table, *choose_item_columns(table, {}))
    monkeypatch.setattr(shop_orders, "iterate_tables", lambda path: tables.iterate_tables(path, 10))
    chosen = choose_orders(tmp_path / "orders.csv", {}, items)
    refuse_strangers(chosen, items)
    assert survey(chosen, items) == (
        False,
        [
            "30 of 71 rows of orders are of no item, first 9",
            "customer till has 40 of 71 rows of orders: remove these if it is a guest or a till",
        ],
    )


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (["01.04.2024 14:05", "1.4.2024"], ["2024-04-01", "2024-04-01"]),
        (["03/04/2024", "13/04/2024"], ["2024-04-03", "2024-04-13"]),
        (["3/4/2024 10:00", "4/13/2024"], ["2024-03-04", "2024-04-13"]),
        (["2024-3-1", "2024-03-01"], ["2024-03-01", "2024-03-01"]),
    ],
)
def test_days_are_read_as_the_shop_meant_them(tmp_path: Path, days: list[str], expected: list[str]) -> None:
    """Where a column tells it: one number above 12 says which of both is the day."""
    items, _ = make_both(tmp_path, "user,item,date", *(f"u{n},{n + 1},{day}" for n, day in enumerate(days)))
    chosen = choose_orders(tmp_path / "orders.csv", {}, items)
    assert survey(chosen, items) == (False, [])
    assert build_purchases(chosen, items)[0]["date"].tolist() == expected


def test_a_day_that_nobody_can_read_is_refused_at_once(tmp_path: Path) -> None:
    for rows in (["u1,2,03/04/2024"], ["u1,2,13/04/2024", "u1,2,04/13/2024"]):
        items, _ = make_both(tmp_path, "user,item,date", "u1,1,2024-01-01", *rows)
        with pytest.raises(UserError, match=r"orders\.csv: column date: '\d\d/04/2024' is no day .*--column day=NAME"):
            survey(choose_orders(tmp_path / "orders.csv", {}, items), items)


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
