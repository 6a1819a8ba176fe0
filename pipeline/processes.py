"""Several processes for a stage, one per GPU: `processes: N` in params.yaml, started by torch's own launcher.

`share` starts the processes that `torchrun --nproc_per_node N -m <stage> …` starts, and also works in a stage that
torchrun itself has started, on one machine or on several. (`accelerate launch --cpu` always starts a single process.)
"""

import os
import signal
import sys
import uuid
from typing import Any

from pipeline.core.errors import UserError
from pipeline.orphans import end_with_launcher


def share(processes: int, module: str) -> None:
    """Start the processes of a stage. Return in each of them; the first process waits, and exits with their status.

    Call it after the checks that need no torch, and before torch is imported.

    Args:
        processes: on all machines together.
        module: of the stage, as in `python -m <module>`; each process gets the arguments of this one.

    Raises:
        UserError: torchrun has started more or fewer processes, or a process was killed.
    """
    if is_distributed():
        if world_size() != processes:
            raise UserError(
                f"params.yaml: machine.processes: {processes}, but torchrun started {world_size()}; "
                f"set machine.processes: {world_size()}, or start `python -m {module}` "
                "without torchrun, which starts as many as it needs"
            )
        end_with_launcher()
    elif processes > 1:
        _launch(processes, module)
        raise SystemExit(0)


def is_distributed() -> bool:
    """Check whether torchrun started this process, alone or as one of several."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def world_size() -> int:
    """Return the number of processes on all machines."""
    return int(os.environ["WORLD_SIZE"]) if is_distributed() else 1


def rank() -> int:
    """Return the number of this process; process 0 writes the outputs of all."""
    return int(os.environ["RANK"]) if is_distributed() else 0


def local_rank() -> int:
    """Return the number of this process on its machine, which is the number of its GPU."""
    return int(os.environ["LOCAL_RANK"]) if is_distributed() else 0


def check_number(connected: int) -> None:
    """Check that a library has connected all processes.

    Raises:
        UserError: it has connected fewer.
    """
    if connected != world_size():
        raise UserError(
            f"{connected} of {world_size()} processes work together; is torch built with a backend for this device?"
        )


def _launch(processes: int, module: str) -> None:
    import logging

    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(
        logging.CRITICAL
    )  # a process that fails prints its own message
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as torchrun does; a stage sets `threads` of each
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=processes,
        run_id=str(uuid.uuid4()),
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
    )
    try:
        elastic_launch(config, sys.executable)("-u", "-m", module, *sys.argv[1:])
    except ChildFailedError as error:
        number, failure = error.get_first_failure()
        _raise_if_killed(number, failure)
        raise SystemExit(1) from None


def _raise_if_killed(number: int, failure: Any) -> None:
    """Name the signal, because a killed process prints nothing."""
    if failure.exitcode < 0:
        name = signal.Signals(-failure.exitcode).name
        hint = "; the system does that when memory runs out: a smaller device_batch_size may help"
        raise UserError(f"process {number} was ended by {name}{hint if name == 'SIGKILL' else ''}") from None
