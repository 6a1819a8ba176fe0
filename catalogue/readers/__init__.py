"""Readers: one module per raw layout, each with a function `open_raw(folder) -> Raw`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

# dataset -> module of this package that reads it
READERS = {"sample": "hm", "hm": "hm"}


@dataclass(frozen=True)
class Raw:
    """A shop's catalogue as it was found, before any filter.

    articles: a row per article: item_id, product_code, description (None where missing), category, colour.
    image_names: item_id -> the name by which the user knows its image; only items that have one.
    image: item_id -> the bytes of its image.
    purchases: batches of user_id (str), item_id (str), day (int32, days since 1970-01-01), in file order; as often as asked.
    is_fashion: category -> whether the study keeps it.
    truth: item_id and what is truly seen in the picture; no rows where that is unknown.
    full_counts: what each filter must leave, where this is a data set known in full; else empty.
    """

    folder: Path
    articles: pd.DataFrame
    image_names: dict[str, str]
    image: Callable[[str], bytes]
    purchases: Callable[[], Iterator[pa.RecordBatch]]
    is_fashion: Callable[[str], bool]
    truth: pd.DataFrame
    full_counts: dict[str, int]
