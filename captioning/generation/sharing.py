"""One working folder for all processes that share the captions of a catalogue."""

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from pipeline.checkpoints import checkpoint_folder
from pipeline.processes import check_number, is_distributed, rank

PATIENCE = timedelta(days=7)  # of a process for the slowest one


@contextmanager
def shared_workplace(folder: Path) -> Iterator[Path]:
    """Opens the working folder in every process; process 0 holds its lock and removes it when the block ends well.

    Raises:
        UserError: another run works there, or fewer processes found each other than were started.
    """
    if not is_distributed():
        with checkpoint_folder(folder):
            yield folder
        return
    from torch import distributed

    if not distributed.is_initialized():  # once for all tables of a run: a second group would wait for ever
        distributed.init_process_group("gloo", timeout=PATIENCE)  # processes only wait for one another
        check_number(distributed.get_world_size())
        atexit.register(distributed.destroy_process_group)
    if rank() == 0:
        with checkpoint_folder(folder):
            distributed.barrier()
            yield folder
    else:
        distributed.barrier()
        yield folder


def wait_for_all() -> None:
    """Waits until every process has come here; returns at once where there is one process."""
    if is_distributed():
        from torch import distributed

        distributed.barrier()
