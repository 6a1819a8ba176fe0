"""Preparation on threads: the next items are prepared while the current one is used."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from pipeline.core.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")
ITEMS_PER_THREAD = 2  # one is being prepared, the other waits to be used
MOST_READER_THREADS = 8
VARIABLE = "LOOKBOOK_READERS"


def reader_threads(device: str) -> int:
    """Count the threads that open pictures while a model works on others.

    A model on the CPU gets none, because they would take the CPU from it. `LOOKBOOK_READERS=8` in the environment sets
    the number on every device (0 for none), so that tests run on a CPU with the threads that a GPU gets. The number
    changes no output.

    Raises:
        UserError: `LOOKBOOK_READERS` is not a whole number from 0.
    """
    number = os.environ.get(VARIABLE, "")
    if not number:
        return 0 if device == "cpu" else min(MOST_READER_THREADS, os.cpu_count() or 1)
    if not number.isdecimal():
        raise UserError(
            f"the environment has {VARIABLE}={number}: a whole number from 0 is allowed; "
            "unset it, and the device decides"
        )
    return int(number)


def prefetch(prepare: Callable[[Item], Result], items: Iterable[Item], threads: int) -> Iterator[Result]:
    """Yield `prepare(item)` for each item in order, prepared in advance on `threads` threads.

    Args:
        prepare: is called from several threads at once.
        items: at most two of them per thread are prepared in advance.
        threads: 0 prepares each item when it is requested.
    """
    if threads == 0:
        yield from map(prepare, items)
        return
    rest = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Result]] = deque(
            pool.submit(prepare, item) for item in islice(rest, threads * ITEMS_PER_THREAD)
        )
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(prepare, item) for item in islice(rest, 1))
                yield result
        finally:
            for future in waiting:
                future.cancel()
