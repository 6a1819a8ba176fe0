"""Progress bars for long work: shown on a terminal, silent in a log file."""

from collections.abc import Iterable
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
STYLE: dict[str, Any] = {"dynamic_ncols": True, "disable": None, "leave": False}


def track(items: Iterable[Item], what: str, total: int | None = None, unit: str = "it") -> Iterable[Item]:
    """Return the items with a bar that shows `what`, how many are finished, the rate and the time left."""
    return tqdm(items, desc=what, total=total, unit=unit, **STYLE)


def open_bar(what: str, total: int, unit: str = "it") -> tqdm:
    """Return a bar that is advanced by `update(n)`, and closed when its `with` block ends."""
    return tqdm(desc=what, total=total, unit=unit, **STYLE)
