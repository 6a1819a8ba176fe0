"""Errors of a device or a machine that runs out of memory."""

from collections.abc import Iterator
from contextlib import contextmanager

from accelerate.utils.memory import should_reduce_batch_size

from pipeline.core.errors import UserError

MESSAGES = ("No executable batch size found", "CUDA error: out of memory", "ALLOC_FAILED")  # not known to accelerate


def is_out_of_memory(error: Exception) -> bool:
    """Tells whether PyTorch ran out of memory, which it reports in several ways."""
    return should_reduce_batch_size(error) or any(message in str(error) for message in MESSAGES)


@contextmanager
def explain_out_of_memory(what: str) -> Iterator[None]:
    """Turns PyTorch's error into one line for the user.

    Args:
        what: the parameter that needs too much memory, and what to do about it.

    Raises:
        UserError: the memory of the device, or of the machine, ran out.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(f"out of memory: {what} ({str(error).splitlines()[0]})") from error
