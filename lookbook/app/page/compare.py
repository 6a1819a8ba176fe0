"""Compare two sets of captions, or one with the shop's descriptions: over a selection, by slices, pair by pair."""

import polars as pl
import streamlit as st

from lookbook.app.parts import choose_any, link, offer_csv, picture, show_html, show_rows
from lookbook.app.sides import choose_sides
from lookbook.views.comparing import (
    REFERENCE,
    Side,
    Slice,
    describe_difference,
    describe_test,
    find_bins,
    find_scored,
    list_slices,
    read_pairs,
    read_statistics,
    read_texts,
    write_bin,
    write_estimate,
    write_pair,
)
from lookbook.views.items import count_pages, list_values, take_page
from lookbook.views.study import ITEMS, SCORES, Study
from lookbook.views.words import compare_texts

TITLE = "Compare"
ABOUT = "Two sets of captions, or captions and descriptions: on which garments, and in which words, they differ."
NEEDS = (ITEMS, SCORES)
OF_OTHER = (
    "The other study's scores are those that it computed, on the garments that both studies have: compare them only "
    "where both have the same test garments, as CIDEr counts words over all of them."
)
BELOW, ABOVE = "from", "to"  # limits of the difference in the address: a bar of the histogram is a link


def show(study: Study) -> None:
    """Show the comparison that is chosen."""
    chosen = choose_sides(study)
    if chosen is None:
        show_html("note", lines=["No captions yet.", *study.list_untrained()])
        return
    a, b, metric = chosen
    whole = read_pairs(study, a, b, metric)
    pairs = _filter(study, whole)
    if pairs.is_empty():
        show_html("note", lines=["No garment is in this selection."])
        show_html("link", text="Clear all filters", link=link("compare"))
        return
    tested = describe_test(study, a, b, metric) if len(pairs) == len(whole) else ""
    verdict, paragraphs = describe_difference(pairs, a, b, metric, tested)
    show_html("answer", verdict=verdict, paragraphs=paragraphs)
    if a.is_other or b.is_other:
        show_html("note", lines=[OF_OTHER])
    scored = find_scored(a, b)
    _show_bins(pairs, metric, scored is None)
    _show_pairs(study, pairs, a, b, metric)
    _show_slices(list_slices(study, pairs, read_statistics(a, b, metric)), metric, scored is None)
    offer_csv(pairs.drop(["row", "b", "difference"] if scored else "row"), "comparison")


def _filter(study: Study, pairs: pl.DataFrame) -> pl.DataFrame:
    columns = st.columns(2)
    for column, name in zip(columns, ("category", "colour"), strict=True):
        with column:
            chosen = choose_any(name.capitalize(), list_values(study, name), name)
        if chosen:
            pairs = pairs.filter(pl.col(name).cast(pl.String) == chosen)
    for key, keep in ((BELOW, pl.col("difference").ge), (ABOVE, pl.col("difference").le)):
        limit = _read_number(st.query_params.get(key, ""))
        if limit is not None:
            pairs = pairs.filter(keep(limit))
    return pairs


def _read_number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _show_bins(pairs: pl.DataFrame, metric: str, is_difference: bool) -> None:
    show_html("subheading", title="How it is spread")
    bins = find_bins(pairs)
    most = max(bins["items"].to_list()) or 1
    chosen = {name: st.query_params.get_all(name) for name in st.query_params if name not in (BELOW, ABOVE, "page")}
    bars = [
        {
            "text": write_bin(low, high, metric, is_difference),
            "items": items,
            "width": round(100 * items / most, 1),
            "link": link("compare", **chosen, **{BELOW: f"{low:.6g}", ABOVE: f"{high:.6g}"}),
        }
        for low, high, items in bins.iter_rows()
    ]
    show_html("histogram", bars=bars, what="difference A − B" if is_difference else "score")


def _show_pairs(study: Study, pairs: pl.DataFrame, a: Side, b: Side, metric: str) -> None:
    scored = find_scored(a, b)
    show_html("subheading", title="Pairs, lowest score first" if scored else "Pairs, largest difference first")
    page = st.pagination(count_pages(len(pairs)), key="page", bind="query-params")
    rows = take_page(pairs, page)
    items = rows["item_id"].to_list()
    left, right = (read_texts(side, items) for side in (a, b))
    own = {} if scored else read_texts(Side(study, REFERENCE, ""), items)
    shown = []
    for row in rows.iter_rows(named=True):
        item = row["item_id"]
        of_a, of_b = compare_texts(left.get(item, ""), right.get(item, ""))
        shown.append(
            row | {"a_words": of_a, "b_words": of_b, "own": own.get(item), "picture": picture(row["row"])}
            | {"link": link("garment", item=item), "figures": write_pair(row, metric, scored is not None)}
        )  # fmt: skip
    show_html("pairs", pairs=shown, a=a.name, b=b.name)


def _show_slices(slices: list[Slice], metric: str, is_difference: bool) -> None:
    what = "difference" if is_difference else "score"
    show_html("subheading", title=f"Slices, largest {what} first")
    rows = [
        [
            one.kind,
            {"text": one.value, "link": _link_slice(one.kind, one.value)},
            one.items,
            write_estimate(one.estimate, metric, is_difference),
        ]
        for one in slices
    ]
    show_rows(["slice", "value", "garments", what], rows, f"The {what} by slice", numbers=2)


def _link_slice(kind: str, value: str) -> str:
    chosen = {name: st.query_params.get_all(name) for name in ("a", "b", "metric", "other") if name in st.query_params}
    return link("compare", **chosen, **{kind: value}) if kind in ("category", "colour") else ""
