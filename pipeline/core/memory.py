"""Memory that a process keeps for what it computes next."""

import ctypes
import os
import sys

# Of glibc's malloc.h. Its largest threshold for MMAP is 32 MiB: every block above that goes back when it is freed.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
KEPT = 256 << 20  # bytes
LARGEST = 32 << 20
OWN_SETTINGS = ("GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")


def keep_freed_memory() -> bool:
    """Whether freed memory, up to 256 MiB of it, now stays with this process (glibc; elsewhere nothing is done).

    Left alone, glibc gives an array of some MB back to the kernel as soon as it is freed, and the next one of that size
    is new memory, to be mapped and cleared page by page: up to a fifth of the time of a small model. Whoever has set
    glibc's own variables keeps these.
    """
    if sys.platform != "linux" or any(name in os.environ for name in OWN_SETTINGS):
        return False
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)  # not in musl
    return set_option is not None and all(
        set_option(option, size) for option, size in ((TRIM_THRESHOLD, KEPT), (MMAP_THRESHOLD, LARGEST))
    )
