"""Any table with the header of a known export becomes items and purchases, or is refused."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookbook.shops.items import Items, build_items, choose_item_columns
from lookbook.shops.layouts import ORDERS, PRODUCTS
from lookbook.shops.orders import build_purchases, choose_order_columns, is_plain, refuse_strangers
from lookbook.shops.pictures import Pictures, find_pictures
from lookbook.shops.tables import Table
from pipeline.core.errors import UserError

MORE = ("parent", "configurablevariations", "storeviewcode", "additionalattributes", "option1name", "option1value")
ATTRIBUTES = ("attribute1name", "attribute1values", "variantsku", "color", "Title")
CELLS = st.one_of(
    st.none(),
    st.sampled_from(["1", "2", "id:1", "simple", "variation", "Product", "sku=1,color=Red|sku=2", "Color"]),
    st.sampled_from(["1.jpg", "https://shop.example/1.jpg", "2024-01-01 10:00:00 +0200", "x@mail.example"]),
    st.sampled_from(["voided", "a, b", ">", "/", "|", " "]),
    st.text(max_size=5).map(lambda text: text or None),
)


@st.composite
def tables(draw: st.DrawFn, needs: Sequence[str], names: Sequence[str]) -> Table:
    columns = list(dict.fromkeys([*needs, *draw(st.lists(st.sampled_from(names), unique=True))]))
    n_rows = draw(st.integers(1, 5))
    rows = [[draw(CELLS) for _ in columns] for _ in range(n_rows)]
    return Table(Path("table.csv"), ",", pd.DataFrame(rows, columns=columns, dtype=object), True)


def list_names(columns: Sequence[Sequence[str]]) -> list[str]:
    return [name for names in columns for name in names]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    folder = tmp_path_factory.mktemp("pictures")
    for name in ("1.jpg", "2-1.jpg", "2-2.jpg"):
        (folder / name).touch()
    return Pictures(folder)


@pytest.mark.slow
@pytest.mark.parametrize("layout", PRODUCTS, ids=lambda layout: layout.name)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_rows_become_items_or_are_refused(pictures: Pictures, layout: object, data: st.DataObject) -> None:
    chosen = next(known for known in PRODUCTS if known is layout)
    names = [*list_names(list(chosen.columns.values())), *MORE, *ATTRIBUTES]
    table = data.draw(tables(chosen.needs, names))
    found, choice = choose_item_columns(table, {})
    if choice.missing:
        return
    try:
        items = build_items(table, found, choice)
        shown, _ = find_pictures(items, pictures)
    except UserError:
        return
    frame = items.frame
    assert frame["item_id"].is_unique
    assert frame["item_id"].notna().all()
    assert len(shown) == len(frame) <= len(table.rows)
    assert set(shown.dropna()) <= set(pictures.names)
    assert frame.map(lambda cell: cell is None or isinstance(cell, str)).all(axis=None)
    for ids in items.ids.values():
        assert set(ids.values()) <= set(frame["item_id"])


@pytest.mark.parametrize("layout", ORDERS, ids=lambda layout: layout.name)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_rows_become_purchases_or_are_refused(layout: object, data: st.DataObject) -> None:
    chosen = next(known for known in ORDERS if known is layout)
    names = [*list_names(list(chosen.columns.values())), "status", "cancelledat"]
    table = data.draw(tables(chosen.needs, names))
    products = Table(Path("p.csv"), ",", pd.DataFrame({"id": ["1", "2"], "Title": ["a", "b"]}, dtype=object), True)
    items: Items = build_items(products, *choose_item_columns(products, {}))
    orders = choose_order_columns(table, {}, items)
    if orders.choice.missing:
        return
    try:
        refuse_strangers(orders, items)
    except UserError:
        return
    frame, _ = build_purchases(orders, items)
    assert frame.notna().all(axis=None)
    assert len(frame) <= len(table.rows)
    if is_plain(orders, items):
        columns = orders.choice.columns
        rows = table.rows[[columns["user"], columns["purchased"], columns["day"]]].dropna()
        assert frame.to_numpy().tolist() == rows.to_numpy().tolist()
