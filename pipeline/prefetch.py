"""Work that is prepared on threads while what was prepared before is used."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from pipeline.core.errors import UserError

Item = TypeVar("Item")
Made = TypeVar("Made")
DEPTH = 2  # prepared for each thread beyond what it is at
READERS = 8  # at most
VARIABLE = "LOOKBOOK_READERS"


def readers(device: str) -> int:
    """Counts the threads that open pictures while a model works on others.

    A model on the CPU gets none, because they would take the CPU from it. `LOOKBOOK_READERS=8` in the environment sets
    the number on every device (0 for none), so that tests run on a CPU with the threads that a GPU gets. It changes no
    output.

    Raises:
        UserError: `LOOKBOOK_READERS` is not a whole number from 0.
    """
    number = os.environ.get(VARIABLE, "")
    if not number:
        return 0 if device == "cpu" else min(READERS, os.cpu_count() or 1)
    if not number.isdecimal():
        raise UserError(
            f"the environment has {VARIABLE}={number}: a whole number from 0 is allowed; "
            "unset it, and the device decides"
        )
    return int(number)


def ahead(make: Callable[[Item], Made], items: Iterable[Item], threads: int) -> Iterator[Made]:
    """`make` of each item, in order; on that many threads, ahead of what is asked for. 0: when it is asked for."""
    if threads == 0:
        yield from map(make, items)
        return
    rest = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Made]] = deque(pool.submit(make, item) for item in islice(rest, threads * DEPTH))
        try:
            while waiting:
                made = waiting.popleft().result()
                waiting.extend(pool.submit(make, item) for item in islice(rest, 1))
                yield made
        finally:
            for future in waiting:
                future.cancel()
