"""Purchases are gathered into large tables without changing their order."""

import pyarrow as pa
import pytest

from catalogue.preparation import purchases


def test_batches_of_purchases_are_gathered_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purchases, "ROWS_AT_ONCE", 7)
    batches = [pa.record_batch({"day": pa.array(range(start, start + 3))}) for start in range(0, 24, 3)]
    tables = list(purchases.gather_batches(iter(batches)))
    assert [len(table) for table in tables] == [9, 9, 6]
    assert [day for table in tables for day in table["day"].to_pylist()] == list(range(24))
