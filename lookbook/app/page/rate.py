"""Rate: which of two captions describes a garment better, without knowing who wrote them."""

import os
import time

import streamlit as st

from lookbook.app.parts import choose, picture, show_html, show_rows
from lookbook.app.settings import RATER
from lookbook.ratings.exchange import export_ratings
from lookbook.ratings.store import Store
from lookbook.ratings.tables import BAD, GOOD, LEFT, RATINGS, RIGHT, SKIP
from lookbook.views import rating
from lookbook.views.rating import OpenRound, Progress, Task
from lookbook.views.study import ITEMS, Study
from pipeline.core.errors import UserError

TITLE = "Rate"
ABOUT = "Two captions of one garment: say which is better. Who wrote them stays hidden until the round is finished."
NEEDS = (ITEMS,)
VERDICTS = {  # key → what it says, and the verdict
    "1": ("Left is better", LEFT),
    "2": ("Right is better", RIGHT),
    "3": ("Equally good", GOOD),
    "4": ("Both bad", BAD),
    "0": ("Skip", SKIP),
}
TOLD_APART = ("no", "sometimes", "yes")
SMALLEST = (
    "Preferences are in percent. Smallest: the true net preference that such a test finds in 4 of 5 cases. Less can be "
    "there and not be seen."
)
STARTED = "rate_started"  # in the session: the pair that is shown, and since when
PROBLEM = "rate_problem"  # in the session: why the last answer was not saved


def show(study: Study) -> None:
    """Show the next pair of the round that is chosen, or what follows the last."""
    names = rating.list_round_names(study)
    if not names:
        show_html("note", lines=["No round yet. Make one with: lookbook ratings new first"])
        return
    columns = st.columns(2)
    with columns[0]:
        name = choose("Round", names, "round")
    with columns[1]:
        rater = st.text_input("Your name", os.environ.get(RATER, ""), key="rater").strip()
    opened = rating.open_round(study, name)
    if not rater:
        lines = ["Give your name to begin: it shuffles the order, and keeps your answers apart from those of others."]
        show_html("note", lines=[*lines, rating.describe_power(opened)])
        return
    store = rating.open_store(study)
    progress = rating.find_progress(opened, store, rater)
    if st.session_state.get(PROBLEM):
        show_html("problem", text=st.session_state.pop(PROBLEM))
    if progress.task:
        _show_task(opened, store, rater, progress, progress.task)
    else:
        _show_end(opened, store, rater)
    _show_results(study, opened, store, rater)


def _show_task(opened: OpenRound, store: Store, rater: str, progress: Progress, task: Task) -> None:
    """Show a pair with a button for each verdict; each has a key of the keyboard."""
    shown = (opened.name, rater, task.key.item_id, task.key.again, task.question)
    if st.session_state.get(STARTED, (None,))[0] != shown:
        st.session_state[STARTED] = (shown, time.monotonic())
    show_html(
        "pair",
        given=progress.given,
        planned=progress.planned,
        minutes=progress.minutes,
        picture=picture(task.row),
        question=rating.ask(task.question),
        reference=task.reference,
        left=task.left,
        right=task.right,
    )
    for column, (key, (label, verdict)) in zip(st.columns(len(VERDICTS)), VERDICTS.items(), strict=True):
        column.button(
            label,  # the key stands beside it
            key=f"verdict-{key}",
            shortcut=key,
            on_click=_save,
            args=(opened, store, rater, task, verdict),
            width="stretch",
        )
    st.button(
        "Take back the last answer",
        key="take-back",
        shortcut="backspace",
        on_click=_take_back,
        args=(opened, store, rater),
        disabled=not progress.given,
    )
    show_html("note", lines=[rating.describe_power_so_far(opened, store)])


def _save(opened: OpenRound, store: Store, rater: str, task: Task, verdict: str) -> None:
    started = st.session_state.get(STARTED, (None, time.monotonic()))[1]
    try:
        rating.save_verdict(opened, store, rater, task, verdict, round(time.monotonic() - started, 1))
    except UserError as error:
        st.session_state[PROBLEM] = str(error)


def _take_back(opened: OpenRound, store: Store, rater: str) -> None:
    try:
        store.take_back(opened.name, rater)
    except UserError as error:
        st.session_state[PROBLEM] = str(error)


def _show_end(opened: OpenRound, store: Store, rater: str) -> None:
    """Ask two questions after the last pair; then the files for git are written."""
    answers = store.list_answers(opened.name, rater)
    with st.form("end"):
        told_apart = st.radio(
            "Could you tell which caption was which?",
            TOLD_APART,
            index=TOLD_APART.index(answers.get("told_apart", "no")),
            horizontal=True,
        )
        role = st.text_input("Your role, in your own words, such as buyer or student", answers.get("role", ""))
        sent = st.form_submit_button("Finish the round")
    if sent:
        rating.save_answers(opened, store, rater, told_apart, role)
        export_ratings(store, store.path.parent)
        show_html("note", lines=[f"Thank you. {RATINGS}/*.csv are written: commit them, then run dvc repro rate"])


def _show_results(study: Study, opened: OpenRound, store: Store, rater: str) -> None:
    """Show results once the planned number is reached; earlier only to who asks, and that is recorded."""
    missing = rating.count_missing(opened, store)
    if missing:
        show_html("note", lines=[f"Results are hidden: {missing} judgements are missing in this round."])
        given = len(store.list_judgements(opened.name))
        if not given or not st.button("Look at the results now; this is recorded", key="look"):
            return
        store.save_look(opened.name, rater, given)
    figures = rating.read_results(study, opened, store)
    rows = rating.list_results(figures)
    header = ["question", "arms", "net preference", "95 % interval", "p", "smallest", "wins", "ties", "losses"]
    show_rows(header, rows, "What people prefer", numbers=7, file="preferences")
    show_html("note", lines=[SMALLEST, rating.describe_power_so_far(opened, store)])
