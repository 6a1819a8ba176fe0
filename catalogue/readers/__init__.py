"""Readers of raw data: one module for each layout, each with a function `open_raw`.

To add a layout, write a module with `open_raw`, name it in `READERS`, and list it in catalogue/readers/_every.py.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

import pandas as pd
import pyarrow as pa

from catalogue.readers.settings import ReaderSettings

READERS = {"sample": "hm", "hm": "hm", "facad": "facad"}  # data set -> module of this package that reads it
ANY_OTHER = "shop"
NO_CATEGORY = "item"  # the category and the colour of an article that has none
NO_COLOUR = "other"


@dataclass(frozen=True)
class Raw:
    """A shop's catalogue before any filter.

    Attributes:
        folder: Where the data lies, for messages.
        articles: A row for each article: item_id, product_code, description (None where missing), category, colour;
            where the data has them, `split` (train, validation, test) and `attributes` (a list of words).
        image_names: item_id -> the name by which the user knows its image; only items that have one.
        read_image: item_id -> the bytes of its image.
        read_purchases: Yields batches of user_id (str; empty or a word for nobody where it is missing), item_id (str)
            and day (int32, days since 1970-01-01), in file order; may be called more than once.
        is_fashion: category -> whether the study keeps it.
        truth: item_id and what the picture shows; no rows where that is unknown.
        full_counts: What each filter and split must leave if this is a data set known in full; else empty.
        stamps: item_id -> a cheap sign that its image is unchanged: size and checksum, or size and time of change.
        full_purchases: How many purchases that data set has, and how many of them remain.
        unmatched: The names of the pictures that belong to no article.
        unverified: How many test captions may belong to other images, because the data does not say.
    """

    folder: Path
    articles: pd.DataFrame
    image_names: dict[str, str]
    read_image: Callable[[str], bytes]
    read_purchases: Callable[[], Iterator[pa.RecordBatch]]
    is_fashion: Callable[[str], bool]
    truth: pd.DataFrame
    full_counts: dict[str, int]
    stamps: dict[str, tuple[int, ...]] = field(default_factory=dict)
    full_purchases: dict[str, int] = field(default_factory=dict)
    unmatched: Sequence[str] = ()
    unverified: int = 0


class Reader(Protocol):
    """What every module that reads a layout offers."""

    def open_raw(self, folder: Path, settings: ReaderSettings) -> Raw:
        """Read the articles of `folder`; images and purchases are read when they are needed.

        Raises:
            UserError: a file, folder or column is missing, or the data contradicts itself.
        """


def load_reader(dataset: str) -> Reader:
    """Load the reader of a data set: its own, else the one for any shop."""
    return cast(Reader, import_module(f"catalogue.readers.{READERS.get(dataset, ANY_OTHER)}"))
