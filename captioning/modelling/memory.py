"""What to say when memory runs out, on a GPU or on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager

from accelerate.utils.memory import should_reduce_batch_size

from pipeline.core.errors import UserError


def is_out_of_memory(error: Exception) -> bool:
    """Whether PyTorch says so, in one of the ways it has."""
    return should_reduce_batch_size(error) or "No executable batch size found" in str(error)


@contextmanager
def named_out_of_memory(what: str) -> Iterator[None]:
    """Args: what: which parameter asks for too much, and what can be done about it.

    Raises:
        UserError: the memory of the device, or of the machine, ran out.
    """
    try:
        yield
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(f"out of memory: {what} ({str(error).splitlines()[0]})") from error
