"""Batches of items in their order, or of texts of similar length."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def make_batches(items: list[Item], size: int) -> list[list[Item]]:
    """Cut items into batches of `size` in their order; the last batch may be smaller.

    >>> make_batches(["a", "b", "c"], 2)
    [['a', 'b'], ['c']]
    """
    return [items[start : start + size] for start in range(0, len(items), size)]


def batch_by_length(texts: Sequence[str], size: int) -> list[list[int]]:
    """Return batches of row numbers, shortest texts first, so that a batch needs little padding.

    Texts of the same length are sorted by their letters, so that the batches do not depend on the order of `texts`.

    >>> batch_by_length(["dress", "hat", "cap"], 2)
    [[2, 1], [0]]
    """
    return make_batches(sorted(range(len(texts)), key=lambda row: (len(texts[row]), texts[row])), size)
