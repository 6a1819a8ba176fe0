"""One garment: every caption with its scores, attributes, buyers, lists that have it, and the note on it."""

import streamlit as st

from lookbook.app.notes import list_noted, show_note
from lookbook.app.page.garments import fill_card
from lookbook.app.parts import link, show_html, show_rows
from lookbook.views import arrivals, selections
from lookbook.views.cards import read_cards
from lookbook.views.garment import count_buyers, count_lists, find_row, list_variants, read_score_table
from lookbook.views.items import find_neighbours, select
from lookbook.views.study import INTERACTIONS, ITEMS, RECOMMENDATIONS, Study
from lookbook.views.words import read_references

TITLE = "One garment"
ABOUT = "Everything that the study knows of one garment."
NEEDS = (ITEMS,)


def show(study: Study) -> None:
    """Show the garment that the address names, otherwise the first of the selection."""
    values = {key: st.query_params.get(key, "") for key in selections.KEYS}
    only = st.query_params.get_all("only")
    rows = select(study, selections.read_selection(study, values, only, list_noted()))
    item = st.query_params.get("item") or (rows["item_id"][0] if len(rows) else "")
    row = find_row(study, item)
    if row.is_empty():
        show_html("note", lines=[f"No garment {item} is in the catalogue."])
        return
    _show_neighbours(*find_neighbours(rows, item))
    [card] = read_cards(study, row, study.list_sets())
    show_html("garment", card=fill_card(card, ""), references=read_references(study, [item]).get(item, []))
    _show_scores(study, item)
    _show_people(study, item)
    _show_variants(study, item)
    show_note(item)


def _address(item: str) -> str:
    chosen = {name: st.query_params.get_all(name) for name in st.query_params if name != "item"}
    return link("garment", item=item, **chosen)


def _show_neighbours(before: str | None, after: str | None) -> None:
    """Show buttons to the garments before and after this one in the selection; ← and → press them."""
    columns = st.columns(2)
    for column, label, item, key in ((columns[0], "Previous", before, "Left"), (columns[1], "Next", after, "Right")):
        with column:
            if st.button(label, key=label, shortcut=key, disabled=item is None, width="stretch"):
                st.query_params["item"] = item or ""
                st.rerun()


def _show_scores(study: Study, item: str) -> None:
    header, rows = read_score_table(study, item)
    if rows:
        show_html("subheading", title="Scores")
        show_rows(header, rows, "Scores of every caption of this garment", numbers=len(header) - 1, file="scores")


def _show_people(study: Study, item: str) -> None:
    if not study.has(INTERACTIONS):
        return
    train, test = count_buyers(study, item)
    show_html("subheading", title="Customers and lists")
    show_html("note", lines=[f"Bought by {train} customers in training, by {test} in test."])
    if study.has(RECOMMENDATIONS):
        rows = count_lists(study, item)
        show_rows(["arm", "recommender", "lists with it, all runs"], rows, "Lists that have this garment", numbers=1)
    if counts := arrivals.count_lists(study, item):
        about = "A new arrival: each source of its words ranks it among the arrivals."
        show_html("note", lines=[about, "Where all arrivals get the same words, such as none, they are listed by id."])
        header = ["recommender", "source of words", "lists with it, all runs", "lists counted"]
        show_rows(
            header,
            [[count.recommender, count.source, count.lists, count.counted] for count in counts],
            "Lists of arrivals that have this garment",
            numbers=2,
        )


def _show_variants(study: Study, item: str) -> None:
    variants = list_variants(study, item)
    if len(variants):
        show_html("subheading", title="Other colours of this product")
        rows = [[{"text": other, "link": _address(other)}, colour] for other, colour in variants]
        show_rows(["garment", "colour"], rows, "Other colours of this product")
