"""A shop's products as items: rows of one product are joined, and other ids of an item are kept for its orders."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from lookbook.shops.columns import Choice, choose_columns, simplify
from lookbook.shops.layouts import PLAIN, PRODUCTS, Products, find_layout
from lookbook.shops.tables import Table
from pipeline.core.errors import UserError

COLUMNS = {  # what -> its column in the items.csv that is written
    **{"item": "item_id", "description": "description", "category": "category", "product": "product_code"},
    **{"colour": "colour", "image": "image"},
}
SEVERAL = re.compile(r"(?<!\\)[,|]")  # between colours; WooCommerce writes the comma of one as \,
ROOTS = ("home", "root", "root catalog", "default category", "all", "all products", "shop all")  # say nothing


@dataclass(frozen=True)
class Items:
    """The items of a shop.

    Attributes:
        table: The table as it was read.
        layout: The program that exported it.
        choice: Which column is what.
        frame: A row for each item, with the columns of `COLUMNS`; texts, None where empty.
        ids: Column by which orders may name an item -> its values -> item_id; a value of several items is left out.
        notes: What the user should know: rows joined, values left out.
    """

    table: Table
    layout: Products
    choice: Choice
    frame: pd.DataFrame
    ids: dict[str, dict[str, str]]
    notes: list[str]


def choose_item_columns(table: Table, named: Mapping[str, str]) -> tuple[Products, Choice]:
    """Recognise the program that exported a table of products, and choose its columns."""
    layout = find_layout(table, PRODUCTS)
    usual = layout.columns
    choice = choose_columns(table, usual, {what: name for what, name in named.items() if what in usual})
    return layout, choice


def build_items(table: Table, layout: Products, choice: Choice) -> Items:
    """Join the rows of each product, and take its first value of each column.

    Raises:
        UserError: rows with the same id have different descriptions, or a row has no id.
    """
    rows = table.rows.set_axis(_unique_names(table), axis=1)
    owner = layout.find_owner(rows) if layout.find_owner else table.rows[choice.columns["item"]]
    if not layout.find_owner:
        _refuse_ambiguous(table, owner, choice)
    values = {what: table.rows[column] for what, column in choice.columns.items() if column}
    if layout.find_colour and not choice.columns["colour"]:
        values["colour"] = layout.find_colour(rows)
    belongs = owner.notna()
    frame, notes = _join(pd.DataFrame(values)[belongs], owner[belongs], layout)
    if not belongs.all():
        notes.append(f"{(~belongs).sum():,} row(s) belong to no product (translations, or without an id): left out")
    columns = _list_id_columns(table, layout, choice)
    ids = {column: _map_ids(table.rows.loc[belongs, column], owner[belongs]) for column in columns}
    return Items(table, layout, choice, frame, ids, notes)


def _unique_names(table: Table) -> list[str]:
    """Simplify the names of the columns; one that repeats an earlier name keeps its own."""
    names: list[str] = []
    for column in table.columns:
        name = simplify(column)
        names.append(column if name in names else name)
    return names


def _refuse_ambiguous(table: Table, owner: pd.Series, choice: Choice) -> None:
    """Refuse an empty id, and two descriptions for one id, where a row is an item: nothing says which is right."""
    id_column, text_column = choice.columns["item"], choice.columns["description"]
    if owner.isna().any():
        row = int(owner.isna().to_numpy().argmax()) + 1
        raise UserError(f"{table.path}: column {id_column} is empty in row {row}; fill it or remove the row")
    texts = table.rows[text_column].groupby(owner).nunique()
    several = texts[texts > 1]
    if len(several):
        raise UserError(
            f"{table.path}: {id_column} {several.index[0]} has {several.iloc[0]} different {text_column} "
            f"({len(several)} such ids); keep one, or name the column whose ids differ with --column item=NAME"
        )


def _join(values: pd.DataFrame, owner: pd.Series, layout: Products) -> tuple[pd.DataFrame, list[str]]:
    """Take the first value of each column among the rows of a product, its own row first."""
    notes = []
    own_first = values
    if layout.name in ("WooCommerce", "Magento"):  # a product may stand below its variants
        is_own = values["item"] == owner
        own_first = pd.concat([values[is_own], values[~is_own]])
    owner_of_row = owner[own_first.index]
    order = owner.drop_duplicates()
    joined = own_first.groupby(owner_of_row, sort=False).first().reindex(order)
    joined = joined.astype(object).where(joined.notna().to_numpy(), None)
    if len(joined) < len(values):
        notes.append(f"{len(values):,} rows joined to {len(joined):,} items (variants, sizes, further pictures)")
    if ("colour" in joined and len(joined) < len(values)) or layout.find_colour:
        joined["colour"], note = _join_colours(own_first["colour"], owner_of_row, order)
        notes += note
    if "category" in joined:
        joined["category"] = joined["category"].map(lambda cell: _last_category(cell, layout))
    frame = pd.DataFrame({name: joined.get(what) for what, name in COLUMNS.items()}, index=joined.index)
    frame["item_id"] = joined.index
    if layout.name == "WooCommerce":  # which writes a line end as \n
        frame["description"] = frame["description"].str.replace(r"\n", "\n", regex=False)
    frame = frame.reset_index(drop=True).astype(object)
    return frame.where(frame.notna(), None), notes


def _join_colours(colours: pd.Series, owner: pd.Series, order: pd.Series) -> tuple[pd.Series, list[str]]:
    """Keep the colour of a product that has one; that of a product with several is unknown."""
    split = colours.dropna().map(lambda cell: [part.strip() for part in SEVERAL.split(cell) if part.strip()])
    each = split.explode().dropna()
    by_owner = each.groupby(owner[each.index])
    counts = by_owner.nunique()
    colour = by_owner.first().where(counts == 1).reindex(order)
    several = int((counts > 1).sum())
    notes = [f"{several:,} item(s) come in several colours: their colour is left empty"] if several else []
    return colour.astype(object).where(colour.notna(), None), notes


def _last_category(cell: str | None, layout: Products) -> str | None:
    """Take the last part of the deepest category: `Clothing > Dresses, Sale` is Dresses."""
    if cell is None or layout is PLAIN:
        return cell
    paths = re.split(rf"(?<!\\){layout.separator}", cell) if layout.separator else [cell]
    parts = [[part.replace("\\,", ",").strip() for part in re.split(f"[{layout.levels}]", path)] for path in paths]
    named = [path for path in parts if path[-1] and path[-1].casefold() not in ROOTS]
    return max(named, key=len)[-1] if named else None


def _list_id_columns(table: Table, layout: Products, choice: Choice) -> list[str]:
    """List the columns whose values orders may use for an item, the item's own first."""
    names = layout.further_ids
    used = set(choice.columns.values())
    others = [column for column in table.columns if simplify(column) in names and column not in used]
    return [choice.columns["item"], *others]


def _map_ids(ids: pd.Series, owner: pd.Series) -> dict[str, str]:
    """Map each id to the one item that has it."""
    pairs = pd.DataFrame({"id": ids, "item": owner}).dropna().drop_duplicates()
    alone = pairs[~pairs["id"].duplicated(keep=False)]
    return dict(zip(alone["id"], alone["item"], strict=True))
