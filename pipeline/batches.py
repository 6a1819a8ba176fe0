"""What is worked on together: neighbours as they come, or texts of about the same length."""

from collections.abc import Sequence
from typing import TypeVar

Item = TypeVar("Item")


def batches(items: list[Item], size: int) -> list[list[Item]]:
    """In order, `size` at a time; the last may be smaller."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def by_length(texts: Sequence[str], size: int) -> list[list[int]]:
    """The places of the texts, the shortest first and equally long ones by their letters: little padding in a batch."""
    return batches(sorted(range(len(texts)), key=lambda row: (len(texts[row]), texts[row])), size)
