"""Purchases are gathered into large tables without changing their order; some must be of what is recommended."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from catalogue.preparation import purchases
from pipeline.core.errors import UserError


def test_batches_of_purchases_are_gathered_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purchases, "ROWS_AT_ONCE", 7)
    batches = [pa.record_batch({"day": pa.array(range(start, start + 3))}) for start in range(0, 24, 3)]
    tables = list(purchases.gather_batches(iter(batches)))
    assert [len(table) for table in tables] == [9, 9, 6]
    assert [day for table in tables for day in table["day"].to_pylist()] == list(range(24))


def test_purchases_of_variants_that_lack_text_and_picture_are_refused(tmp_path: Path) -> None:
    """Where each variant is an item of its own, and the product alone has the description."""
    batch = pa.record_batch({"user_id": ["u", "v"], "item_id": ["p-s", "p-m"], "day": pa.array([1, 2], pa.int32())})
    raw: Any = SimpleNamespace(
        folder=Path("data/raw/shop"),
        articles=pd.DataFrame({"item_id": ["p", "p-s", "p-m"]}),
        read_purchases=lambda: iter([batch]),
    )
    items = pd.DataFrame({"item_id": ["p"], "original": [True]})
    with pytest.raises(UserError, match=r"none of the 2 purchases of known users and articles is of an article with"):
        purchases.write_purchases(tmp_path / "purchases.parquet", raw, items)
    items = pd.DataFrame({"item_id": ["p", "p-m"], "original": [True, True]})
    assert purchases.write_purchases(tmp_path / "purchases.parquet", raw, items)["purchases_in_original"] == 1
