"""Results: the tables of the report, sortable, and every comparison with its interval."""

from typing import Any

import polars as pl
import streamlit as st

from lookbook.app.parts import choose, choose_any, link, show_html, show_rows
from lookbook.views.results import (
    Arms,
    draw_intervals,
    find_lists,
    list_arms,
    list_groups,
    list_tables,
    read_rows,
    read_table,
)
from lookbook.views.study import COMPARISON, Study

TITLE = "Results"
ABOUT = "What was compared, with intervals, and the tables of the report."
NEEDS = (COMPARISON,)


def show(study: Study) -> None:
    """Show the comparisons that are chosen, and a table of the report."""
    columns = st.columns(3)
    with columns[0]:
        rows = read_rows(study, choose("Comparisons", list_groups(study), "table"))
    with columns[1]:
        metric = choose("Measure", sorted({row["metric"] for row in rows}), "metric")
    with columns[2]:
        recommender = choose_any("Of", sorted({row["of"] for row in rows}), "of")
    shown = [row for row in rows if row["metric"] == metric and recommender in ("", row["of"])]
    st.html(draw_intervals(shown))
    arms = list_arms(study)
    show_rows(
        ["of", "a", "b", "difference", "95 %", "corrected p"],
        [
            [{"text": row["of"], "link": _link(row, arms)}, row["a"], row["b"], row["shown"], row["interval"], row["p"]]
            for row in shown
        ],
        "Comparisons with intervals",
        numbers=3,
        file="comparisons",
    )
    _show_tables(study)


def _link(row: dict[str, Any], arms: Arms) -> str:
    """Return the page where the comparison can be looked at: captions under Compare, lists under Customers."""
    if row["table"] == "captions":
        sets = {"a": f"{row['of']} {row['a']}", "b": f"{row['of']} {row['b']}"}
        return link("compare", **sets, metric=row["metric"])
    lists = find_lists(row, arms)
    return link("customers", **lists) if lists else ""


def _show_tables(study: Study) -> None:
    show_html("subheading", title="Tables of the report")
    names = list_tables(study)
    if not names:
        show_html("note", lines=["No tables yet: run `dvc repro report`"])
        return
    name = choose("Table", names, "report_table")
    table: pl.DataFrame = read_table(study, name)
    st.dataframe(table, hide_index=True)
