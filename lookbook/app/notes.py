"""The notes of the one who looks: read from and saved to the store of ratings, with what happens when two write."""

import os

import streamlit as st

from lookbook.app.parts import show_html
from lookbook.app.settings import RATER
from lookbook.ratings.store import PATH, NoteConflictError, NotSavedError, Store
from lookbook.views.rendering import render

DEFAULT_RATER = "me"


def name_rater() -> str:
    """Return who looks: `lookbook app --rater NAME`."""
    return os.environ.get(RATER) or DEFAULT_RATER


def list_noted() -> list[str]:
    """List the garments that the one who looks has a note on."""
    if not PATH.exists():
        return []
    return [note.item_id for note in Store(PATH).list_notes(name_rater()) if note.text]


def show_note(item_id: str) -> None:
    """Show the note on a garment in a form that saves it."""
    if not PATH.exists():
        show_html("note", lines=["Notes need `lookbook app`, which makes their file"])
        return
    store, rater = Store(PATH), name_rater()
    seen = f"note version {item_id}"
    stored = store.read_note(rater, item_id)
    st.session_state.setdefault(seen, stored.version if stored else 0)
    with st.form(f"note {item_id}"):
        text = st.text_area("My note", stored.text if stored else "", key=f"note text {item_id}")
        if not st.form_submit_button("Save the note"):
            return
    try:
        saved = store.save_note(rater, item_id, text, st.session_state[seen])
    except NoteConflictError as conflict:
        st.session_state[seen] = conflict.theirs.version
        st.html(render("conflict", theirs=conflict.theirs.text, yours=text))
    except NotSavedError as error:
        st.html(render("problem", text=str(error)))
    else:
        st.session_state[seen] = saved.version
        show_html("saved", version=saved.version)
