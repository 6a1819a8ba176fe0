"""Parts of several pages: HTML, choices that stand in the address, links to other pages, tables as CSV."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import polars as pl
import streamlit as st

from lookbook.views.rendering import render

ANY = "any"


def show_html(template: str, **values: Any) -> None:
    """Show a template of lookbook/views/templates; what data says is escaped there and nowhere else."""
    st.html(render(template, **values))


def choose(label: str, options: Sequence[str], key: str, default: str | None = None) -> str:
    """Let one of some options be chosen; the choice stands in the address under the key.

    Args:
        label: Of the choice.
        options: What can be chosen; with none, the choice is empty.
        key: Its name in the address.
        default: Chosen at first, and left out of the address; None: the first.
    """
    if not options:
        return ""
    index = options.index(default) if default in options else 0
    return st.selectbox(label, options, index=index, key=key, bind="query-params") or ""


def choose_any(label: str, options: Sequence[str], key: str) -> str:
    """Let one of some options be chosen, or any: then the choice is empty."""
    chosen = choose(label, [ANY, *(option for option in options if option != ANY)], key)
    return "" if chosen == ANY else chosen


def link(page: str, **values: Any) -> str:
    """Return the address of a page with these choices; empty ones are left out.

    >>> link("garment", item="0001 &", variant="")
    './garment?item=0001+%26'
    """
    query = urlencode({name: value for name, value in values.items() if value not in ("", None)}, doseq=True)
    return f"./{page}" + (f"?{query}" if query else "")


def picture(row: int | None) -> str:
    """Return the address of a picture; empty where there is none."""
    return "" if row is None else f"./picture/{row}"


def offer_csv(table: pl.DataFrame, name: str) -> None:
    """Offer a table as a CSV file; it is written when it is asked for."""
    st.download_button("As CSV", lambda: table.write_csv().encode(), f"{name}.csv", "text/csv", on_click="ignore")


def show_rows(
    header: Sequence[str], rows: Sequence[Sequence[Any]], title: str, numbers: int = 0, file: str = ""
) -> None:
    """Show a table; a cell that is a mapping with `text` and `link` leads to another page.

    Args:
        header: A name per column.
        rows: Their cells.
        title: What the table holds, for those who do not see it.
        numbers: How many columns at the right hold numbers.
        file: The name of the CSV file that is offered; empty: none is.
    """
    cells = [[cell if isinstance(cell, Mapping) else {"text": cell, "link": ""} for cell in row] for row in rows]
    show_html("table", header=header, rows=cells, title=title, first_number=len(header) - numbers)
    if file:
        texts = [[str(cell["text"]) for cell in row] for row in cells]
        offer_csv(pl.DataFrame(texts, schema=dict.fromkeys(header, pl.String), orient="row"), file)
