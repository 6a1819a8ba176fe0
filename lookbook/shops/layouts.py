"""How known programs export products and orders: how to recognise each, its columns, and which rows are one product.

Headers as exported by Shopify (product_export.csv, orders_export.csv), WooCommerce (wc-product-export, Advanced Order
Export), Adobe Commerce and Magento 2 (catalog_product), BigCommerce (bulk edit, and the export since 2023), PrestaShop
(the columns of its sample import, and its list of products) and Google Merchant Center (product data specification).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import pandas as pd

from lookbook.shops.columns import ITEM_COLUMNS, ORDER_COLUMNS, Names, simplify
from lookbook.shops.tables import Table

COLOUR_WORDS = ("color", "colour", "farbe", "couleur", "colore", "kleur")
Rows = pd.DataFrame  # of an export, its columns under simplified names


@dataclass(frozen=True)
class Products:
    """An export of products.

    Attributes:
        name: The program, for messages.
        needs: Simplified names of the columns by which it is recognised.
        columns: what -> usual names of its column, simplified.
        find_owner: Gives each row the id of the product that it belongs to; missing where it belongs to none.
        further_ids: Columns beside the id whose values orders may use for the product that owns the row.
        separator: What separates several categories in a cell; "" where a cell holds one.
        levels: The signs that separate the levels of a category.
        find_colour: Gives the colours of each row, where no column of their own holds them.
        colour_from: What `find_colour` reads, for messages.
    """

    name: str
    needs: tuple[str, ...]
    columns: Names
    find_owner: Callable[[Rows], pd.Series] | None = None
    further_ids: tuple[str, ...] = ()
    separator: str = ""
    levels: str = ">"
    find_colour: Callable[[Rows], pd.Series] | None = None
    colour_from: str = ""


@dataclass(frozen=True)
class Orders:
    """An export of orders, a row for each item bought.

    Attributes:
        name: The program, for messages.
        needs: Simplified names of the columns by which it is recognised.
        columns: what -> usual names of its column, simplified.
        order: Column of the order's number, where user and day stand in an order's first row alone.
        title: Column that names the item by its title where it has no id.
    """

    name: str
    needs: tuple[str, ...]
    columns: Names
    order: str = ""
    title: str = ""


Layout = TypeVar("Layout", Products, Orders)


def find_by_handle(rows: Rows) -> pd.Series:
    """Give each row of Shopify its handle: the rows of a product are its variants and further pictures."""
    return rows["handle"]


def find_by_parent(rows: Rows) -> pd.Series:
    """Give each variation of WooCommerce the ID of its parent, which is named by SKU or as `id:44`."""
    owner = rows["id"].copy()
    by_sku = rows[rows["sku"].notna()].drop_duplicates("sku").set_index("sku")["id"]
    is_variation = rows["type"].fillna("").str.contains(r"\bvariation\b")
    parent = rows.loc[is_variation, "parent"] if "parent" in rows else pd.Series(dtype=object)
    owner[parent.index] = parent.map(by_sku).where(
        ~parent.fillna("").str.startswith("id:"), parent.str.removeprefix("id:")
    )
    return owner


def find_by_configurable(rows: Rows) -> pd.Series:
    """Give each variant of Magento the SKU of its configurable product; a translation of a row belongs to none."""
    owner = rows["sku"].copy()
    if "configurablevariations" in rows:
        pairs = rows.loc[rows["configurablevariations"].notna(), ["sku", "configurablevariations"]]
        parents = {
            variant: sku
            for sku, cell in pairs.itertuples(index=False)
            for variant in re.findall(r"(?:^|\|)sku=([^,|]+)", cell)
        }
        owner = owner.map(lambda sku: parents.get(sku, sku))
    if "storeviewcode" in rows:
        owner = owner.mask(rows["storeviewcode"].notna())
    return owner


def find_by_position(rows: Rows) -> pd.Series:
    """Give each row of BigCommerce the id of the product row above it: below stand its variants and pictures."""
    kind = rows["itemtype"] if "itemtype" in rows else rows["item"]
    ids = rows["productid"] if "productid" in rows else rows["id"]
    return ids.where(kind.str.strip().str.casefold() == "product").ffill()


def find_option_colour(rows: Rows) -> pd.Series:
    """Read the colour of Shopify's options; an option's name stands in the first row of a product alone."""
    colour = pd.Series(None, index=rows.index, dtype=object)
    for number in "123":
        name, value = f"option{number}name", f"option{number}value"
        if name in rows and value in rows:
            names = rows.groupby(rows["handle"])[name].transform("first")
            colour = colour.where(~names.map(_is_colour), rows[value])
    return colour


def find_attribute_colour(rows: Rows) -> pd.Series:
    """Read the colours of WooCommerce's attributes."""
    colour = pd.Series(None, index=rows.index, dtype=object)
    for name in [column for column in map(str, rows) if re.fullmatch(r"attribute\d+name", column)]:
        value = name.removesuffix("name") + "values"
        if value in rows:
            colour = colour.where(~rows[name].map(_is_colour), rows[value])
    return colour


def find_additional_colour(rows: Rows) -> pd.Series:
    """Read the colour of Magento's additional_attributes: `color=Black,size=XS`."""
    if "additionalattributes" not in rows:
        return pd.Series(None, index=rows.index, dtype=object)
    found = rows["additionalattributes"].fillna("").str.extract(r'(?:^|,)"?colou?r=([^,"]+)', expand=False)
    return found


def _is_colour(name: object) -> bool:
    return isinstance(name, str) and simplify(name) in COLOUR_WORDS


def find_layout(table: Table, layouts: tuple[Layout, ...]) -> Layout:
    """Find the first layout all of whose columns the table has; the last needs none."""
    names = set(map(simplify, table.columns))
    return next(layout for layout in layouts if names.issuperset(layout.needs))


PLAIN = Products("a plain table", (), ITEM_COLUMNS, further_ids=tuple(ITEM_COLUMNS["item"]))
PRODUCTS = (
    Products(
        "Shopify",
        ("handle", "title", "bodyhtml"),
        {
            **{"item": ("handle",), "description": ("bodyhtml", "title")},
            **{"category": ("type", "customproducttype", "productcategory", "standardproducttype"), "product": ()},
            **{"colour": (), "image": ("imagesrc",)},
        },
        find_by_handle,
        ("variantsku", "variantbarcode"),
        find_colour=find_option_colour,
        colour_from="Option … Value",
    ),
    Products(
        "WooCommerce",
        ("id", "type", "sku", "name", "published"),
        {
            **{"item": ("id",), "description": ("description", "shortdescription", "name"), "product": ()},
            **{"category": ("categories",), "colour": (), "image": ("images",)},
        },
        find_by_parent,
        ("sku",),
        ",",
        find_colour=find_attribute_colour,
        colour_from="Attribute … value(s)",
    ),
    Products(
        "Magento",
        ("sku", "attributesetcode", "producttype", "name"),
        {
            **{"item": ("sku",), "description": ("description", "shortdescription", "name"), "product": ()},
            **{"category": ("categories", "attributesetcode"), "colour": ("color", "colour"), "image": ("baseimage",)},
        },
        find_by_configurable,
        (),
        ",",
        ">/",
        find_additional_colour,
        "additional_attributes",
    ),
    Products(
        "BigCommerce (bulk edit)",
        ("itemtype", "productid", "productname", "productcodesku"),
        {
            **{"item": ("productid",), "description": ("productdescription", "productname"), "product": ()},
            **{"category": ("category",), "colour": (), "image": ("productimagefile1",)},
        },
        find_by_position,
        ("productcodesku",),
        ";",
        ">/",
    ),
    Products(
        "BigCommerce",
        ("item", "id", "name", "type", "sku", "options"),
        {
            **{"item": ("id",), "description": ("description", "name"), "product": ()},
            **{
                "category": ("categories", "category"),
                "colour": (),
                "image": ("internalimageurlexport", "imageurlimport"),
            },
        },
        find_by_position,
        ("sku",),
        ";",
        ">/",
    ),
    Products(
        "PrestaShop",
        ("productid", "active01", "name"),
        {
            **{"item": ("productid",), "description": ("description", "summary", "name"), "product": ()},
            **{"category": ("categoriesxyz",), "colour": ("color", "colour"), "image": ("imageurlsxyz",)},
        },
        None,
        ("referencenumber", "ean13"),
        ",",
        ">/",
    ),
    Products(
        "Google Merchant",
        ("id", "title", "description", "imagelink"),
        {
            **{"item": ("id",), "description": ("description", "title"), "product": ("itemgroupid",)},
            **{"category": ("producttype", "googleproductcategory"), "colour": ("color", "colour")},
            **{"image": ("imagelink",)},
        },
        None,
        ("mpn", "gtin"),
    ),
    PLAIN,
)
ORDERS = (
    Orders(
        "Shopify",
        ("name", "email", "createdat", "lineitemname"),
        {"user": ("email",), "purchased": ("lineitemsku", "lineitemname"), "day": ("createdat", "paidat")},
        "name",
        "lineitemname",
    ),
    Orders(
        "WooCommerce",
        ("ordernumber", "orderdate", "emailbilling"),
        {
            **{"user": ("emailbilling",), "day": ("orderdate", "paiddate")},
            **{"purchased": ("productid", "variationid", "sku", "itemsku", "itemname", "name", "productname")},
        },
        "ordernumber",
    ),
    Orders("a plain table", (), ORDER_COLUMNS),
)
KNOWN = {
    "products": list(dict.fromkeys(layout.name.split(" (")[0] for layout in PRODUCTS[:-1])),
    "orders": [layout.name for layout in ORDERS[:-1]],
}
