"""Keeps freed memory in the process, because new memory costs a small model much time."""

import ctypes
import os
import sys

# Options of glibc's malloc.h. Its largest threshold for MMAP is 32 MiB: every block above that is returned when freed.
TRIM_THRESHOLD = -1
MMAP_THRESHOLD = -3
BYTES_TO_KEEP = 256 << 20
LARGEST_MMAP_THRESHOLD = 32 << 20  # bytes
GLIBC_VARIABLES = ("GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")


def keep_freed_memory() -> bool:
    """Keep up to 256 MiB of freed memory in this process; return whether that worked (only glibc can do it).

    By default glibc returns an array of some MB to the kernel as soon as it is freed, and the next array of that size
    is new memory, which is mapped and cleared page by page: up to a fifth of the time of a small model. Nothing is
    changed where the environment sets glibc's own variables.
    """
    if sys.platform != "linux" or any(name in os.environ for name in GLIBC_VARIABLES):
        return False
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)  # not in musl
    settings = ((TRIM_THRESHOLD, BYTES_TO_KEEP), (MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD))
    return set_option is not None and all(set_option(option, size) for option, size in settings)
