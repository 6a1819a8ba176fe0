"""Batches: every item once, in order or by length of the texts."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.batches import batch_by_length, make_batches


def test_batches_hold_everything_once() -> None:
    assert make_batches(list(range(7)), 3) == [[0, 1, 2], [3, 4, 5], [6]]
    assert make_batches([], 3) == []


@given(st.lists(st.text(max_size=5)), st.integers(1, 4))
def test_batches_by_length_hold_every_row_once_the_shortest_first(texts: list[str], size: int) -> None:
    grouped = batch_by_length(texts, size)
    rows = [row for batch in grouped for row in batch]
    assert sorted(rows) == list(range(len(texts)))
    lengths = [len(texts[row]) for row in rows]
    assert lengths == sorted(lengths)
    assert all(len(batch) == size for batch in grouped[:-1])
