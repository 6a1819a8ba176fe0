"""Loads the reader of a data set."""

from importlib import import_module
from typing import TYPE_CHECKING, cast

from catalogue.readers import ANY_OTHER, READERS, Reader

if TYPE_CHECKING:  # mypy compares each reader with the protocol; add yours
    from catalogue.readers import facad, hm, shop

    CHECKED: tuple[Reader, ...] = (facad, hm, shop)


def load_reader(dataset: str) -> Reader:
    """Load the reader of a data set: its own, else the one for any shop."""
    return cast(Reader, import_module(f"catalogue.readers.{READERS.get(dataset, ANY_OTHER)}"))
