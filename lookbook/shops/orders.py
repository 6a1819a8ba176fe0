"""A shop's orders as purchases: which item each row is, who bought it, and when."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import pandas as pd
import pyarrow as pa

from lookbook.shops.columns import Choice, choose_columns, simplify
from lookbook.shops.days import YEAR_LAST, Order, cut_day, find_order
from lookbook.shops.items import Items
from lookbook.shops.layouts import ORDERS, Orders, find_layout
from lookbook.shops.tables import PART_ROWS, Table, iterate_tables, shorten
from pipeline.cells.times import NoTimeError, read_days
from pipeline.core.errors import UserError
from pipeline.core.progress import track

COLUMNS = {"user": "user_id", "purchased": "item_id", "day": "date"}  # what -> its column in the written purchases.csv
STATUS = ("financialstatus", "orderstatus", "status", "paymentstatus", "bestellstatus", "statut", "estado", "stato")
CANCELLED = re.compile(  # refunded, not partially refunded
    r"(wc-)?(cancel|void|fail|trash|refund|declin|expir|return|abandon|storn|abgebrochen|erstatt|annul|rembours)"
)
QUANTITY = ("quantity", "qty", "lineitemquantity", "itemquantity", "menge", "quantite", "cantidad", "quantita")
ORDER = ("orderid", "ordernumber", "orderno", "orderreference", "order", "bestellnummer")
NUMBERED = ("id", "reference")  # names that an order or a row of it may have for itself
CANCELLED_AT = "cancelledat"
ONE_CUSTOMER = 0.2  # share of the rows from which a customer may be none
FEW_ROWS = 50  # among which a customer may well have so many


@dataclass(frozen=True)
class Purchases:
    """How a shop's orders are read.

    Attributes:
        table: The table, or its first rows.
        layout: The program that exported it.
        choice: Which column is what.
        id_column: The column of the items whose values name the purchased item; "" where none does.
        day_order: Whether the day or the month stands first in 03/04/2024.
    """

    table: Table
    layout: Orders
    choice: Choice
    id_column: str
    day_order: Order = "unknown"

    def cut_day(self, cell: str | None) -> str | None:
        """Write the day of a cell as 2024-03-11, where it can be told."""
        return cut_day(cell, self.day_order)


def choose_order_columns(table: Table, named: Mapping[str, str], items: Items) -> Purchases:
    """Recognise the program that exported orders, and choose their columns.

    The purchased item is the usual column whose values name most items: exports hold several kinds of ids. One that is
    called like a column of the items comes before all others: ids of another kind may be the same numbers.
    """
    layout = find_layout(table, ORDERS)
    usual = layout.columns
    choice = choose_columns(table, usual, {what: name for what, name in named.items() if what in usual})
    candidates = [choice.columns["purchased"]]
    if "purchased" not in choice.named:
        taken = {column for what, column in choice.columns.items() if what != "purchased"}
        free = [column for column in table.columns if column not in taken and not _numbers_rows(table, column)]
        candidates = [column for name in usual["purchased"] for column in free if simplify(column) == name]
        if not candidates and choice.columns["purchased"]:
            choice.columns["purchased"] = ""
            choice.missing.append("purchased")
    shares = {
        (column, id_column): _share_known(table.rows[column], ids)
        for column in candidates
        if column
        for id_column, ids in items.ids.items()
    }
    alike = [pair for pair in shares if simplify(pair[0]) == simplify(pair[1]) and shares[pair]]
    best = max(alike or shares, key=lambda pair: shares[pair], default=("", ""))
    if shares.get(best):
        choice.columns["purchased"], id_column = best
    else:
        id_column = ""
    return Purchases(table, layout, choice, id_column)


def choose_orders(path: Path, named: Mapping[str, str], items: Items) -> Purchases:
    """Choose the columns of a file of orders: by its first part that has a row of an item, else by its first part.

    The oldest orders of a long file may be of items that are no longer sold.
    """
    parts = (choose_order_columns(part, named, items) for part in iterate_tables(path))
    first = next(parts)
    if first.choice.missing or first.choice.unknown or not items.ids:
        return first
    chosen = next((chosen for chosen in chain([first], parts) if names_items(chosen, items)), first)
    column = chosen.choice.columns["day"]
    if not first.table.rows[column].fillna("").map(lambda cell: bool(YEAR_LAST.match(cell))).any():
        return chosen
    cells = chain.from_iterable(part.rows[column] for part in iterate_tables(path))
    return replace(chosen, day_order=find_order(cells))


def _numbers_rows(table: Table, column: str) -> bool:
    """Whether a column numbers orders or their rows: it is called id, and no value stands there twice."""
    return simplify(column) in NUMBERED and len(table.rows) > 1 and table.rows[column].is_unique


def _share_known(values: pd.Series, ids: dict[str, str]) -> float:
    return float(values.isin(ids.keys()).mean())


def names_items(purchases: Purchases, items: Items) -> bool:
    """Whether a row of orders is of an item, by an id or by its title."""
    return bool(purchases.id_column) or bool(_map_titles(purchases, items).notna().any())


def refuse_strangers(purchases: Purchases, items: Items) -> None:
    """Refuse orders none of which is of an item.

    Raises:
        UserError: no purchased item is known, with an id of each side.
    """
    column = purchases.choice.columns["purchased"]
    if names_items(purchases, items):
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
    users, days = rows[columns["user"]], rows[columns["day"]].map(purchases.cut_day)
    frame = pd.DataFrame({"user_id": users, "item_id": _map_items(purchases, items), "date": days})
    reasons = {
        "of cancelled or refunded orders": find_cancelled(rows),
        "of no or returned pieces": find_returned(rows),
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
    rows, columns, order = purchases.table.rows, purchases.choice.columns, _find_order_column(purchases)
    if not order:
        return rows
    number, customer, day = rows[order], rows[columns["user"]], rows[columns["day"]]
    number = number.where(number.notna() | customer.notna() | day.notna(), number.ffill())
    stated = [column for column in map(str, rows) if simplify(column) in (*STATUS, CANCELLED_AT)]
    own = rows[list(dict.fromkeys([columns["user"], columns["day"], *stated]))]
    filled = own.groupby(number).ffill().where(number.notna(), own)
    return rows.assign(**dict(filled.astype(object).where(filled.notna(), None)))


def _find_order_column(purchases: Purchases) -> str:
    """Find the column of the order's number; "" where there is none."""
    by_name = _by_simple_name(purchases.table)
    if purchases.layout.order:
        return by_name[purchases.layout.order]
    used = purchases.choice.columns.values()
    return next((by_name[name] for name in ORDER if name in by_name and by_name[name] not in used), "")


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
    """Find the rows of orders that were cancelled or refunded, by their status or by the time of it."""
    cancelled = pd.Series(False, index=rows.index)
    for column in map(str, rows):
        if simplify(column) in STATUS:
            cancelled |= rows[column].fillna("").str.casefold().map(lambda word: bool(CANCELLED.match(word)))
        elif simplify(column) == CANCELLED_AT:
            cancelled |= rows[column].notna()
    return cancelled


def find_returned(rows: pd.DataFrame) -> pd.Series:
    """Find the rows of no piece, or of pieces that came back: a quantity of 0 or below."""
    returned = pd.Series(False, index=rows.index)
    for column in map(str, rows):
        if simplify(column) in QUANTITY:
            returned |= pd.to_numeric(rows[column], errors="coerce").le(0)
    return returned


def holds_addresses(users: pd.Series) -> bool:
    """Whether customers are named by e-mail addresses."""
    return bool(users.dropna().str.contains("@", regex=False).any())


def survey(purchases: Purchases, items: Items) -> tuple[bool, list[str]]:
    """Read all rows of orders once, in parts.

    Returns:
        Whether the reader for any shop reads the file as it is; and what the user should know of all rows.

    Raises:
        UserError: a day is none, which `catalogue_prepare` would refuse later.
    """
    plain, n_rows, strangers, first, customers = True, 0, 0, "", Counter[str]()
    known = set(items.frame["item_id"])
    for part in track(iterate_tables(purchases.table.path), "reading orders", unit=f" × {PART_ROWS:,} rows"):
        own = replace(purchases, table=part)
        _refuse_other_days(own)
        plain = plain and is_plain(own, items)
        bought = _map_items(own, items)
        strange = bought[bought.notna() & ~bought.isin(known)]
        n_rows, strangers, first = n_rows + len(bought), strangers + len(strange), first or next(iter(strange), "")
        customers.update(part.rows[purchases.choice.columns["user"]].dropna())
    notes = [f"{strangers:,} of {n_rows:,} rows of orders are of no item, first {shorten(first)}"] if strangers else []
    ((customer, rows),) = customers.most_common(1) or [("", 0)]
    if n_rows >= FEW_ROWS and rows > ONE_CUSTOMER * n_rows:
        notes.append(
            f"customer {shorten(customer)} has {rows:,} of {n_rows:,} rows of orders: remove these if it is a guest or "
            "a till"
        )
    return plain, notes


def _refuse_other_days(purchases: Purchases) -> None:
    column = purchases.choice.columns["day"]
    days = purchases.table.rows[column].dropna().map(purchases.cut_day)
    try:
        read_days(pa.array(days, pa.string()))
    except NoTimeError as error:
        raise UserError(
            f"{purchases.table.path}: column {column}: {error}; 01.04.2024 is read too, and 13/04/2024 where no row "
            "contradicts it; export days in such a form, or name another column with --column day=NAME"
        ) from None


def is_plain(purchases: Purchases, items: Items) -> bool:
    """Whether the reader for any shop reads this file of orders as it is."""
    table, columns = purchases.table, purchases.choice.columns
    return (
        table.delimiter == ","
        and table.as_read
        and not purchases.layout.needs
        and purchases.id_column == items.choice.columns["item"]
        and not find_cancelled(table.rows).any()
        and not find_returned(table.rows).any()
        and _fill_orders(purchases).equals(table.rows)
        and not holds_addresses(table.rows[columns["user"]])
        and not any(purchases.cut_day(day) != day for day in table.rows[columns["day"]])
    )
