"""Progress of long work: a bar on a terminal, nothing in a log file."""

from collections.abc import Iterable
from typing import Any, TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
STYLE: dict[str, Any] = {"dynamic_ncols": True, "disable": None, "leave": False}


def track(items: Iterable[Item], what: str, total: int | None = None, unit: str = "it") -> Iterable[Item]:
    """The items, with a bar that says `what`, how many are done, the rate and the time left."""
    return tqdm(items, desc=what, total=total, unit=unit, **STYLE)


def bar(what: str, total: int, unit: str = "it") -> tqdm:
    """The same bar to be moved by hand: `with bar("packing", 100) as progress: progress.update(10)`."""
    return tqdm(desc=what, total=total, unit=unit, **STYLE)
