"""Batches: everything once, neighbours or texts of about the same length together."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.batches import batches, by_length


def test_batches_hold_everything_once() -> None:
    assert batches(list(range(7)), 3) == [[0, 1, 2], [3, 4, 5], [6]]
    assert batches([], 3) == []


@given(st.lists(st.text(max_size=5)), st.integers(1, 4))
def test_by_length_holds_every_place_once_the_shortest_first(texts: list[str], size: int) -> None:
    found = by_length(texts, size)
    rows = [row for batch in found for row in batch]
    assert sorted(rows) == list(range(len(texts)))
    lengths = [len(texts[row]) for row in rows]
    assert lengths == sorted(lengths)
    assert all(len(batch) == size for batch in found[:-1])
