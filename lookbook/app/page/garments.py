"""Garments: pictures, descriptions and captions, filtered and sorted, 24 a page."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from lookbook.app.notes import list_noted
from lookbook.app.parts import choose, choose_any, link, offer_csv, picture, show_html, show_rows
from lookbook.views import selections
from lookbook.views.cards import Card, read_cards
from lookbook.views.items import PAGE_ITEMS, count_facets, count_pages, list_values, select, take_page
from lookbook.views.scores import choose_metric, list_metrics
from lookbook.views.selections import Selection
from lookbook.views.study import CAPTION_WORDS, ITEMS, Study
from lookbook.views.words import Segment, list_vocabulary

TITLE = "Garments"
ABOUT = "Every garment of the catalogue with its description and what the captioners say of its picture."
NEEDS = (ITEMS,)
SHOWN_COUNTS = 5  # values beside a choice; all stand under Counts


def show(study: Study) -> None:
    """Show the garments of the selection that is chosen."""
    values, only, places = _choose_filters(study)
    selection = selections.read_selection(study, values, only, list_noted())
    shown = _choose_shown(study)
    rows = select(study, selection)
    _show_facets(study, selection, places)
    if rows.is_empty():
        _show_empty(selection)
        return
    page = st.pagination(count_pages(len(rows)), key="page", bind="query-params")
    cards = read_cards(study, take_page(rows, page), shown, selections.list_shown_metrics(study))
    show_html(
        "note", lines=[f"{len(rows):,} garments, page {page} of {count_pages(len(rows))}", *study.list_untrained()]
    )
    show_html("cards", first=1 + PAGE_ITEMS * (page - 1), cards=[fill_card(card, _link(card)) for card in cards])
    offer_csv(rows.drop("row"), "garments")


def fill_card(card: Card, address: str) -> dict[str, object]:
    """Return the values of a card in lookbook/views/templates/cards.html.j2."""
    return {
        "picture": picture(card.row),
        "alt": f"{card.category}, {card.colour}, product {card.product}",
        "link": address,
        "item_id": card.item_id,
        "category": card.category,
        "colour": card.colour,
        "split": card.split or "in no split",
        "description": None if card.description is None else [Segment(card.description)],
        "captions": card.captions,
        "scores": [(name, f"{value:.3f}") for name, value in card.scores.items()],
    }


def _link(card: Card) -> str:
    """Return the address of a garment, with the selection that it is looked at in."""
    return link("garment", item=card.item_id, **{name: st.query_params.get_all(name) for name in st.query_params})


def _choose_filters(study: Study) -> tuple[dict[str, str], list[str], dict[str, Any]]:
    """Let the filters and the order be chosen, each of which stands in the address; return places for counts, too."""
    places: dict[str, Any] = {}
    sets = [selections.name_set(*one) for one in study.list_sets()]
    values = {}
    with st.expander("Filters and order"):  # closed, so that garments stand on the first screen
        columns = st.columns(4)
        with columns[0]:
            values["category"] = choose_any("Category", list_values(study, "category"), "category")
            places["category"] = st.container()
            values["colour"] = choose_any("Colour", list_values(study, "colour"), "colour")
            places["colour"] = st.container()
        with columns[1]:
            values["split"] = choose_any("Split", list_values(study, "split"), "split")
            places["split"] = st.container()
            values["described"] = choose_any("Has a description", ["yes", "no"], "described")
        with columns[2]:
            values["set"] = choose(
                "Captions that filters and order read", sets, "set", selections.choose_filtered(study)
            )
            values["text"] = st.text_input("Words in description or caption", key="text", bind="query-params")
        with columns[3]:
            values["sort"] = choose("Order by", list(selections.SORT_NAMES), "sort")
            values["order"] = choose("Direction", [selections.LARGEST, selections.SMALLEST], "order")
        more = st.columns(4)
        with more[0]:
            metrics = list_metrics(study)
            values["metric"] = choose("Score", metrics, "metric", choose_metric(metrics))
        vocabulary = list_vocabulary(study) if study.has(CAPTION_WORDS) else []
        with more[1]:
            values["missed"] = choose_any("Attribute missed", vocabulary, "missed")
        with more[2]:
            values["invented"] = choose_any("Attribute invented", vocabulary, "invented")
        with more[3]:
            only = st.pills("Only", selections.ONLY, selection_mode="multi", key="only", bind="query-params")
    if sets and not study.has(CAPTION_WORDS):
        show_html(
            "note", lines=[f"{CAPTION_WORDS}: not there, so captions are unmarked; run `dvc repro caption_score`"]
        )
    return values, list(only), places


def _choose_shown(study: Study) -> list[tuple[str, str]]:
    sets = [selections.name_set(*one) for one in study.list_sets()]
    if not sets:
        return []
    chosen = st.multiselect(
        "Captions shown",
        sets,
        selections.choose_shown(study),
        max_selections=selections.SHOWN_SETS,
        key="show",
        bind="query-params",
    )
    return [selections.split_set(name) for name in chosen]


def _show_facets(study: Study, selection: Selection, places: Mapping[str, Any]) -> None:
    """Show how many garments each value would leave: the largest beside its choice, all of them in a table."""
    counts = {
        facet: [(value, count, _narrow(facet, value)) for value, count in values.items()]
        for facet, values in count_facets(study, selection).items()
    }
    for facet, place in places.items():
        with place:
            more = max(0, len(counts[facet]) - SHOWN_COUNTS)
            show_html("facets", title=facet.capitalize(), counts=counts[facet][:SHOWN_COUNTS], more=more)
    with st.expander("Counts", expanded=False):
        rows = [
            [facet, {"text": value, "link": address}, count]
            for facet, values in counts.items()
            for value, count, address in values
        ]
        show_rows(["filter", "value", "garments"], rows, "Garments by value of each filter", numbers=1)


def _narrow(facet: str, value: str) -> str:
    """Return the address of this selection with a value of a facet."""
    kept = {name: st.query_params.get_all(name) for name in st.query_params if name not in (facet, "page")}
    return link("garments", **kept, **{facet: value})


def _show_empty(selection: Selection) -> None:
    filters = selection.list_filters()
    show_html("note", lines=["No garment is in this selection. Filters set: " + (", ".join(filters) or "none")])
    show_html("link", text="Clear all filters", link=link("garments"))
