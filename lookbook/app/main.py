"""The pages and their navigation; Streamlit runs this file for every visitor and every choice."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import streamlit as st

from lookbook.app import guard
from lookbook.views.rendering import read_style

PAGES = {  # module of lookbook.app.page → title and address
    "study": ("Study", ""),
    "garments": ("Garments", "garments"),
    "garment": ("One garment", "garment"),
    "compare": ("Compare", "compare"),
    "rate": ("Rate", "rate"),
    "results": ("Results", "results"),
    "customers": ("Customers", "customers"),
    "own_picture": ("Own picture", "own_picture"),
}
# Not "pages": Streamlit takes the files of such a folder beside this one for pages of its own, until this has run.
FOLDER = Path(__file__).parent / "page"


def list_pages() -> list[st.Page]:
    """List the pages that are there, in the order of the navigation."""
    return [
        st.Page(_load(module), title=title, url_path=address, default=not address)
        for module, (title, address) in PAGES.items()
        if find_spec(f"lookbook.app.page.{module}")
    ]


def _load(module: str) -> Callable[[], None]:
    """Return a function that imports a page when it is opened, and shows it."""

    def show() -> None:
        guard.show_page(module)

    show.__name__ = module
    return show


def main() -> None:
    """Show the page that the address names."""
    st.set_page_config(page_title="Lookbook", page_icon=None, layout="wide")
    st.html(read_style())
    st.navigation(list_pages(), position="top").run()


if __name__ == "__main__":
    main()
