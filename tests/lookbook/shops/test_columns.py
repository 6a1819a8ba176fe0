"""Columns are found by their usual names, however these are written."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookbook.shops.columns import ITEM_COLUMNS, ORDER_COLUMNS, choose_columns, simplify, suggest_column
from lookbook.shops.tables import Table

WORDS = {  # usual names as words
    **{"item": ["product", "id"], "description": ["description"], "category": ["product", "type"]},
    **{"product": ["item", "group", "id"], "colour": ["color"], "image": ["image", "link"]},
}
CASES = st.sampled_from([str.lower, str.upper, str.title, str.capitalize])
JOINTS = st.sampled_from([" ", "_", "-", "", "  ", " - "])


def make_table(columns: dict[str, list[str | None]]) -> Table:
    return Table(Path("products.csv"), ",", pd.DataFrame(columns, dtype=object), True)


@st.composite
def headers(draw: st.DrawFn) -> dict[str, str]:
    """Return a way to write each usual name, and other columns among them, in any order."""
    written = {what: draw(CASES)(draw(JOINTS).join(words)) for what, words in WORDS.items()}
    others = {f"other {number}": name for number, name in enumerate(["Price", "Vendor", "Stock Qty"])}
    return dict(draw(st.permutations(list((written | others).items()))))


@given(headers())
def test_case_spaces_underscores_and_hyphens_make_no_difference(header: dict[str, str]) -> None:
    table = make_table({name: ["a", "b"] for name in header.values()})
    choice = choose_columns(table, ITEM_COLUMNS, {})
    assert choice.columns == {what: header[what] for what in ITEM_COLUMNS}
    assert not choice.missing


@given(st.lists(st.text(max_size=12), min_size=1, max_size=8, unique=True), st.booleans())
def test_any_header_gives_different_columns_of_it(header: list[str], empty: bool) -> None:
    table = make_table({name: [None if empty else "a"] for name in header})
    for usual in (ITEM_COLUMNS, ORDER_COLUMNS):
        choice = choose_columns(table, usual, {})
        chosen = [column for column in choice.columns.values() if column]
        assert len(chosen) == len(set(chosen))
        assert set(chosen) <= set(header)
        assert not (empty and chosen)
        assert set(choice.columns) == set(usual)


@given(st.text(), st.sampled_from([str.lower, str.upper]))
def test_simplify_is_idempotent_and_blind_to_separators(name: str, case: Callable[[str], str]) -> None:
    assert simplify(simplify(name)) == simplify(name)
    assert simplify(f" {name}_-") == simplify(name)
    assert simplify(case("Product_ID")) == "productid"


def test_every_usual_name_is_written_simplified() -> None:
    for usual in (ITEM_COLUMNS, ORDER_COLUMNS):
        assert all(simplify(name) == name for names in usual.values() for name in names)


def test_what_the_user_names_wins_however_written_and_none_means_none() -> None:
    table = make_table({"Product ID": ["1"], "Title": ["a"], "Body": ["b"], "Color": ["red"]})
    choice = choose_columns(table, ITEM_COLUMNS, {"description": "title", "colour": ""})
    assert choice.columns["description"] == "Title"
    assert choice.columns["colour"] == ""
    assert choice.named == {"description", "colour"}


def test_a_name_that_is_not_there_or_stands_for_two_columns_is_unknown() -> None:
    table = make_table({"id": ["1"], "Title": ["a"], "TITLE ": ["b"]})
    assert choose_columns(table, ITEM_COLUMNS, {"description": "words"}).unknown == {"description": "words"}
    assert choose_columns(table, ITEM_COLUMNS, {"description": "title"}).unknown == {"description": "title"}


def test_a_few_kinds_are_no_products() -> None:
    kinds = {"id": [str(number) for number in range(12)], "title": ["a"] * 12, "group": ["Women"] * 12}
    assert choose_columns(make_table(kinds), ITEM_COLUMNS, {}).columns["product"] == ""
    assert choose_columns(make_table(kinds), ITEM_COLUMNS, {"product": "group"}).columns["product"] == "group"
    products = kinds | {"group": [str(number // 2) for number in range(12)]}
    assert choose_columns(make_table(products), ITEM_COLUMNS, {}).columns["product"] == "group"


@pytest.mark.parametrize(
    "header",
    [
        ["Artikelnummer", "Beschreibung", "Kategorie", "Farbe", "Bild"],
        ["Référence", "Description", "Catégorie", "Couleur", "Image"],
        ["Referencia", "Descripción", "Categoría", "Color", "Imagen"],
        ["Codice prodotto", "Descrizione", "Categoria", "Colore", "Immagine"],
        ["product_id", "description(en-gb)", "categories", "color", "image"],
    ],
)
def test_columns_in_other_languages_are_found(header: list[str]) -> None:
    title = {"Name": ["a", "b"]}
    choice = choose_columns(make_table({name: ["a", "b"] for name in header} | title), ITEM_COLUMNS, {})
    found = [choice.columns[what] for what in ("item", "description", "category", "colour", "image")]
    assert found == header


def test_all_that_is_missing_is_listed() -> None:
    assert choose_columns(make_table({"ref": ["1"], "words": ["a"]}), ITEM_COLUMNS, {}).missing == [
        "item",
        "description",
    ]
    assert choose_columns(make_table({"ref": ["1"]}), ORDER_COLUMNS, {}).missing == ["user", "purchased", "day"]


@pytest.mark.parametrize(
    ("what", "column"),
    [("item", "ref"), ("description", "words"), ("day", "when"), ("user", "who"), ("colour", "NAME")],
)
def test_a_suggestion_goes_by_the_values(what: str, column: str) -> None:
    table = make_table(
        {"who": ["x", "x"], "ref": ["1", "2"], "words": ["a dress", "a shirt"], "when": ["2024-03-11", "2024-03-11"]}
    )
    assert suggest_column(table, what, []) == column
