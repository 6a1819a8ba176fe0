"""The choice of two sets of captions and of a score: of this study, or of another one in a folder of this machine."""

import streamlit as st

from lookbook.app.parts import choose, show_html
from lookbook.views.comparing import REFERENCE, Side, list_sides, open_other
from lookbook.views.scores import choose_metric, list_metrics
from lookbook.views.study import Study
from pipeline.core.errors import UserError


def choose_sides(study: Study) -> tuple[Side, Side, str] | None:
    """Let two sets and a score be chosen, the shop's descriptions among them; None where there are no captions."""
    with st.expander("Compare with another study", expanded=bool(st.query_params.get("other"))):
        folder = st.text_input("Its folder on this machine", key="other", bind="query-params").strip()
    sides = list_sides(study, _open(folder))
    if not sides:
        return None
    names = [side.name for side in sides]
    writer = study.params.get("writer")
    first = (f"{writer} ft", f"{writer} pt" if len(sides) > 2 else REFERENCE)
    columns = st.columns(3)
    chosen = []
    for column, label, key, default in zip(columns, "AB", "ab", first, strict=False):
        with column:
            name = choose(f"Captions {label}", names, key, default)
        chosen.append(sides[names.index(name)])
    with columns[2]:
        known = [set(list_metrics(side.study)) for side in chosen]
        metrics = [name for name in list_metrics(study) if all(name in own for own in known)]
        metric = choose("Score", metrics, "metric", choose_metric(metrics))
    return chosen[0], chosen[1], metric


def _open(folder: str) -> Study | None:
    if not folder:
        return None
    try:
        return open_other(folder)
    except UserError as error:
        show_html("problem", text=str(error))
        return None
