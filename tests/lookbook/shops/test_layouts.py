"""Programs are recognised by the headers that they export, as their own sample files have them."""

from pathlib import Path

import pandas as pd
import pytest

from lookbook.shops.columns import simplify
from lookbook.shops.layouts import ORDERS, PRODUCTS, find_by_configurable, find_by_parent, find_layout
from lookbook.shops.tables import Table

HEADERS = {
    "Shopify": "Handle,Title,Body (HTML),Vendor,Type,Tags,Published,Option1 Name,Option1 Value,Variant SKU",
    "WooCommerce": "ID,Type,SKU,Name,Published,Is featured?,Short description,Description,Categories,Images,Parent",
    "Magento": "sku,store_view_code,attribute_set_code,product_type,categories,product_websites,name,description",
    "BigCommerce (bulk edit)": "Item Type,Product ID,Product Name,Product Type,Product Code/SKU,Brand Name,Category",
    "BigCommerce": "Item,ID,Name,Type,SKU,Options,Inventory Tracking,Current Stock,Price,Description,Categories",
    "PrestaShop": "Product ID,Active (0/1),Name *,Categories (x-y-z...),Reference #,Summary,Description",
    "Google Merchant": "id,title,description,link,image_link,availability,price,item_group_id,color,product_type",
    "a plain table": "Product ID,Title,Product Type,Color,Gender,Season",
}
ORDER_HEADERS = {
    "Shopify": "Name,Email,Financial Status,Paid at,Currency,Created at,Lineitem quantity,Lineitem name,Lineitem sku",
    "WooCommerce": "Order Number,Order Status,Order Date,Email (Billing),Item #,SKU,Item Name,Quantity (- Refund)",
    "a plain table": "Customer,Product ID,Order Date",
}


def make_table(header: str) -> Table:
    return Table(Path("x.csv"), ",", pd.DataFrame({name: ["a"] for name in header.split(",")}, dtype=object), True)


@pytest.mark.parametrize("name", HEADERS)
def test_an_export_of_products_is_recognised(name: str) -> None:
    assert find_layout(make_table(HEADERS[name]), PRODUCTS).name == name


@pytest.mark.parametrize("name", ORDER_HEADERS)
def test_an_export_of_orders_is_recognised(name: str) -> None:
    assert find_layout(make_table(ORDER_HEADERS[name]), ORDERS).name == name


def test_every_program_has_a_header_here_and_writes_its_names_simplified() -> None:
    assert {layout.name for layout in PRODUCTS} == set(HEADERS)
    assert {layout.name for layout in ORDERS} == set(ORDER_HEADERS)
    for layout in (*PRODUCTS, *ORDERS):
        names = [*layout.needs, *(name for usual in layout.columns.values() for name in usual)]
        assert [simplify(name) for name in names] == names


def test_a_variation_belongs_to_its_parent_by_sku_or_id() -> None:
    rows = pd.DataFrame(
        {
            **{"id": ["44", "76", "77", "78", "79"], "sku": ["tee", "tee-red", None, None, None]},
            "type": ["variable", "variation", "variation, virtual", "simple", "variation"],
            "parent": [None, "tee", "id:44", None, "gone"],
        },
        dtype=object,
    )
    assert find_by_parent(rows).fillna("none").tolist() == ["44", "44", "44", "78", "none"]


def test_a_variant_belongs_to_its_configurable_and_a_translation_to_none() -> None:
    rows = pd.DataFrame(
        {
            **{"sku": ["T-S", "T-M", "T", "T", "B"], "storeviewcode": [None, None, None, "de", None]},
            "configurablevariations": [None, None, "sku=T-S,size=S|sku=T-M,size=M", None, None],
        },
        dtype=object,
    )
    assert find_by_configurable(rows).fillna("none").tolist() == ["T", "T", "T", "none", "B"]
