"""A shop's orders as purchases: which item each row is, who bought it, and when."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from lookbook.shops.columns import Choice, choose_columns, simplify
from lookbook.shops.items import Items
from lookbook.shops.layouts import ORDERS, Orders, find_layout
from lookbook.shops.tables import Table
from pipeline.core.errors import UserError

COLUMNS = {"user": "user_id", "purchased": "item_id", "day": "date"}  # what -> its column in the written purchases.csv
STATUS = ("financialstatus", "orderstatus", "status")
CANCELLED = ("cancelled", "canceled", "voided", "failed", "trash")
CANCELLED_AT = "cancelledat"
DAY = re.compile(r"\d{4}-\d\d-\d\d(?=[T ]|$)")


@dataclass(frozen=True)
class Purchases:
    """How a shop's orders are read.

    Attributes:
        table: The table, or its first rows.
        layout: The program that exported it.
        choice: Which column is what.
        id_column: The column of the items whose values name the purchased item; "" where none does.
    """

    table: Table
    layout: Orders
    choice: Choice
    id_column: str


def choose_order_columns(table: Table, named: Mapping[str, str], items: Items) -> Purchases:
    """Recognise the program that exported orders, and choose their columns.

    The purchased item is the usual column whose values name most items: exports hold several kinds of ids.
    """
    layout = find_layout(table, ORDERS)
    usual = layout.columns
    choice = choose_columns(table, usual, {what: name for what, name in named.items() if what in usual})
    candidates = [choice.columns["purchased"]]
    if "purchased" not in choice.named:
        taken = {column for what, column in choice.columns.items() if what != "purchased"}
        free = [column for column in table.columns if column not in taken]
        candidates = [column for name in usual["purchased"] for column in free if simplify(column) == name]
    shares = {
        (column, id_column): _share_known(table.rows[column], ids)
        for column in candidates
        if column
        for id_column, ids in items.ids.items()
    }
    best = max(shares, key=lambda pair: shares[pair], default=("", ""))
    if shares.get(best):
        choice.columns["purchased"], id_column = best
    else:
        id_column = ""
    return Purchases(table, layout, choice, id_column)


def _share_known(values: pd.Series, ids: dict[str, str]) -> float:
    return float(values.isin(ids.keys()).mean())


def refuse_strangers(purchases: Purchases, items: Items) -> None:
    """Refuse orders none of which is of an item.

    Raises:
        UserError: no purchased item is known, with an id of each side.
    """
    column = purchases.choice.columns["purchased"]
    if purchases.id_column or _map_titles(purchases, items).notna().any():
        return
    bought = next(iter(purchases.table.examples(column)), "nothing")
    sold = ", ".join(f"{name} {next(iter(ids), '')}" for name, ids in items.ids.items())
    raise UserError(
        f"{purchases.table.path}: no row is of an item: {column} has {bought}, and {items.table.path} has {sold}; name "
        "the columns that hold the same ids with --column purchased=NAME and --column item=NAME"
    )


def build_purchases(purchases: Purchases, items: Items) -> tuple[pd.DataFrame, list[str]]:
    """Write orders as user_id, item_id and date, without rows of cancelled orders and rows that lack one of these.

    An id that no item has is kept, so that it is counted. Customers are numbered where they are e-mail addresses.

    Args:
        purchases: How the whole table of orders is read.
        items: The items.

    Returns:
        The purchases in file order, and what the user should know.
    """
    columns, rows = purchases.choice.columns, _fill_orders(purchases)
    users, days = rows[columns["user"]], rows[columns["day"]].map(_cut_day)
    frame = pd.DataFrame({"user_id": users, "item_id": _map_items(purchases, items), "date": days})
    reasons = {
        "of cancelled orders": find_cancelled(rows),
        "without a customer": frame["user_id"].isna(),
        "without an item": frame["item_id"].isna(),
        "without a day": frame["date"].isna(),
    }
    notes, kept = [], pd.Series(True, index=frame.index)
    for reason, left_out in reasons.items():
        if (kept & left_out).any():
            notes.append(f"{(kept & left_out).sum():,} row(s) {reason}: left out")
        kept &= ~left_out
    frame = frame[kept].reset_index(drop=True)
    if holds_addresses(frame["user_id"]):
        numbers, _ = pd.factorize(frame["user_id"].str.strip().str.lower())
        frame["user_id"] = [f"customer-{number + 1}" for number in numbers]
        notes.append("customers are e-mail addresses: they are numbered, and no address is kept")
    return frame, notes


def _fill_orders(purchases: Purchases) -> pd.DataFrame:
    """Fill in customer, day and status, where they stand in the first row of an order alone."""
    rows, columns = purchases.table.rows, purchases.choice.columns
    if not purchases.layout.order:
        return rows
    by_name = _by_simple_name(purchases.table)
    stated = [column for name, column in by_name.items() if name in (*STATUS, CANCELLED_AT)]
    filled = rows[list(dict.fromkeys([columns["user"], columns["day"], *stated]))]
    filled = filled.groupby(rows[by_name[purchases.layout.order]]).ffill()
    return rows.assign(**dict(filled.astype(object).where(filled.notna(), None)))


def _map_items(purchases: Purchases, items: Items) -> pd.Series:
    """Map what was bought to the item's id: by its id, else by its title; an unknown id stays as it is."""
    bought = purchases.table.rows[purchases.choice.columns["purchased"]]
    item = bought.map(items.ids.get(purchases.id_column, {})).astype(object)
    item = item.where(item.notna(), _map_titles(purchases, items))
    return item.where(item.notna(), bought)


def _by_simple_name(table: Table) -> dict[str, str]:
    return {simplify(column): column for column in reversed(table.columns)}


def _map_titles(purchases: Purchases, items: Items) -> pd.Series:
    """Map the title of a row of orders, `Linen dress - Blue / M`, to the one item with this title."""
    table = purchases.table
    by_name, item_columns = _by_simple_name(table), _by_simple_name(items.table)
    if not purchases.layout.title or "title" not in item_columns:
        return pd.Series(None, index=table.rows.index, dtype=object)
    own = items.table.rows[[item_columns["title"], items.choice.columns["item"]]].dropna().drop_duplicates()
    own = own[~own.iloc[:, 0].duplicated(keep=False)]
    ids = dict(own.itertuples(index=False, name=None))
    titles = table.rows[by_name[purchases.layout.title]].fillna("")
    return titles.map(lambda title: ids.get(title) or ids.get(title.rpartition(" - ")[0])).astype(object)


def find_cancelled(rows: pd.DataFrame) -> pd.Series:
    """Find the rows of orders that were cancelled, by their status or by the time of it."""
    cancelled = pd.Series(False, index=rows.index)
    for column in map(str, rows):
        if simplify(column) in STATUS:
            words = rows[column].fillna("").str.strip().str.casefold().str.removeprefix("wc-")
            cancelled |= words.isin(CANCELLED)
        elif simplify(column) == CANCELLED_AT:
            cancelled |= rows[column].notna()
    return cancelled


def holds_addresses(users: pd.Series) -> bool:
    """Whether customers are named by e-mail addresses."""
    return bool(users.dropna().str.contains("@", regex=False).any())


def _cut_day(cell: str | None) -> str | None:
    """Keep the day of `2024-03-11 10:14:00 -0400`, as the shop wrote it; any other form stays as it is."""
    found = DAY.match(cell) if cell else None
    return found.group() if found else cell


def is_plain(purchases: Purchases, items: Items) -> bool:
    """Whether the reader for any shop reads this file of orders as it is."""
    table, columns = purchases.table, purchases.choice.columns
    return (
        table.delimiter == ","
        and table.as_read
        and not purchases.layout.needs
        and purchases.id_column == items.choice.columns["item"]
        and not find_cancelled(table.rows).any()
        and not holds_addresses(table.rows[columns["user"]])
        and not any(_cut_day(day) != day for day in table.rows[columns["day"]])
    )
