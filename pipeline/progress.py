"""Progress of long work: a bar on a terminal, nothing in a log file."""

from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")


def track(items: Iterable[Item], what: str, total: int | None = None, unit: str = "it") -> Iterable[Item]:
    """The items, with a bar that says `what`, how many are done, the rate and the time left."""
    return tqdm(items, desc=what, total=total, unit=unit, dynamic_ncols=True, disable=None, leave=False)
