"""What every page does first: open the study, and say what is missing and which stage makes it, instead of failing."""

from functools import lru_cache
from importlib import import_module
from pathlib import Path

import streamlit as st

from lookbook.views.rendering import render
from lookbook.views.study import Study, list_missing, open_study
from pipeline.core.errors import UserError
from pipeline.core.params import PARAMS

ROOT = Path()  # `lookbook app` changes to the study's folder


@lru_cache(maxsize=1)
def _open(version: int) -> Study:  # a new version of params.yaml is a new key
    return open_study(ROOT)


def open_current() -> Study:
    """Open the study of the working directory; it is read again when params.yaml has changed.

    Raises:
        UserError: There is no params.yaml, or it cannot be read.
    """
    path = ROOT / PARAMS
    return _open(path.stat().st_mtime_ns if path.exists() else 0)


def show_page(module: str) -> None:
    """Show a page of `lookbook.app.page`, or why it cannot be shown.

    A page module has TITLE, ABOUT (a sentence), NEEDS (files of `lookbook.views.study`) and show(study).
    """
    page = import_module(f"lookbook.app.page.{module}")
    st.html(render("heading", title=page.TITLE, about=page.ABOUT))
    try:
        study = open_current()
        missing = list_missing(study, page.NEEDS)
        if missing:
            st.html(render("missing", files=missing))
            return
        page.show(study)
    except UserError as error:
        st.html(render("problem", text=str(error)))
