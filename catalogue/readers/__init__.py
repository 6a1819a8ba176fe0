"""Readers: one module per raw layout, each with a function `open_raw(folder, settings) -> Raw`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

READERS = {"sample": "hm", "hm": "hm", "facad": "facad"}  # dataset -> module of this package that reads it
ANY_OTHER = "shop"


@dataclass(frozen=True)
class Raw:
    """A shop's catalogue as it was found, before any filter.

    articles: a row per article: item_id, product_code, description (None where missing), category, colour; where the data
        has them, `split` (train, validation, test) and `attributes` (a list of words).
    image_names: item_id -> the name by which the user knows its image; only items that have one.
    image: item_id -> the bytes of its image.
    purchases: batches of user_id (str), item_id (str), day (int32, days since 1970-01-01), in file order; as often as asked.
    is_fashion: category -> whether the study keeps it.
    truth: item_id and what is truly seen in the picture; no rows where that is unknown.
    full_counts: what each filter and split must leave, where this is a data set known in full; else empty.
    full_purchases: how many purchases that data set has, and how many of them remain.
    unverified: how many test captions may belong to other images, because the data does not say.
    stamps: item_id -> what tells cheaply that its image is still the same: size and checksum, or time of change.
    """

    folder: Path
    articles: pd.DataFrame
    image_names: dict[str, str]
    image: Callable[[str], bytes]
    purchases: Callable[[], Iterator[pa.RecordBatch]]
    is_fashion: Callable[[str], bool]
    truth: pd.DataFrame
    full_counts: dict[str, int]
    stamps: dict[str, Any] = field(default_factory=dict)
    full_purchases: dict[str, int] = field(default_factory=dict)
    unverified: int = 0


def reader_of(dataset: str) -> str:
    """The module that reads a data set: its own, else the one for any shop."""
    return READERS.get(dataset, ANY_OTHER)
