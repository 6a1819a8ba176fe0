"""Garments of a customer: on lists, and in a row of pictures with their descriptions."""

from collections.abc import Collection
from typing import Any

import polars as pl

from lookbook.app.parts import link, picture, show_html
from lookbook.views.cards import read_descriptions
from lookbook.views.items import read_catalogue
from lookbook.views.people import Place
from lookbook.views.study import Study

UNREACHABLE = (
    "Grey: on no list of this customer, as nobody bought it in training, or the customer did, or the catalogue of list "
    "A does not have it."
)
Row = dict[str, Any]


def fill_places(study: Study, places: list[Place]) -> list[Row]:
    """Return the values of places in lists.html.j2 and strip.html.j2."""
    table = read_catalogue(study).filter(pl.col("item_id").is_in([place.item_id for place in places]))
    rows = {row["item_id"]: row for row in table.iter_rows(named=True)}
    return [_fill(place, rows.get(place.item_id, {})) for place in places]


def _fill(place: Place, row: Row) -> Row:
    return {
        **place.__dict__,
        "picture": picture(row.get("row")),
        "alt": f"{row.get('category', '')}, {row.get('colour', '')}",
        "link": link("garment", item=place.item_id),
    }


def show_strip(study: Study, title: str, items: list[str], unreachable: Collection[str] = ()) -> None:
    """Show garments with their descriptions; those that no list can hold are grey, and said to be."""
    show_html("subheading", title=title)
    if not items:
        show_html("note", lines=["Nothing."])
        return
    described = read_descriptions(study, items)
    places = fill_places(study, [Place(item, 0, False, None, described.get(item)) for item in items])
    shown = [place | {"is_out": place["item_id"] in unreachable} for place in places]
    show_html("strip", title=title, places=shown)
    if unreachable:
        show_html("note", lines=[UNREACHABLE])
