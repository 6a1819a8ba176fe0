"""Work that is prepared on threads while what was prepared before is used."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")
DEPTH = 2  # prepared for each thread beyond what it is at
READERS = 8  # at most


def readers(device: str) -> int:
    """Threads that open pictures while a model sees others: none for a model on the CPU, which they would take from it."""
    return 0 if device == "cpu" else min(READERS, os.cpu_count() or 1)


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
