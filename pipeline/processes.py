"""A stage shared by several processes, one for each GPU: `processes: N` in params.yaml, started by torch's own launcher.

`share` starts what `torchrun --nproc_per_node N -m <stage> …` starts, and is content with having been started by torchrun
itself, on one machine or on several. (`accelerate launch --cpu` starts a single process whatever it is asked for.)
"""

import os
import signal
import sys
import threading
import time
import uuid
from typing import Any

from pipeline.core.errors import UserError

POLL_SECONDS = 0.5


def share(processes: int, module: str) -> None:
    """Returns in every one of the processes. The one that was started stays to wait for them, and ends as they do.

    To be called when what can be refused without torch has been refused, and before torch is imported.

    Args:
        processes: on all machines together.
        module: of the stage, as in `python -m <module>`; they all get the arguments of this one.

    Raises:
        UserError: torchrun has started more or fewer processes, or one of them was killed.
    """
    if shared():
        if world() != processes:
            raise UserError(
                f"params.yaml: processes: {processes}, but torchrun started {world()}; set processes: {world()}, or "
                f"start `python -m {module}` itself, which starts as many as it needs"
            )
        _end_with_launcher()
    elif processes > 1:
        _wait_for(processes, module)
        raise SystemExit(0)


def shared() -> bool:
    """Whether this is one of several processes, or at least one that torchrun has started."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def world() -> int:
    """How many processes there are, on all machines."""
    return int(os.environ["WORLD_SIZE"]) if shared() else 1


def rank() -> int:
    """Which one of them this is: 0 writes what all have made."""
    return int(os.environ["RANK"]) if shared() else 0


def local_rank() -> int:
    """Which one on its machine: the number of its GPU."""
    return int(os.environ["LOCAL_RANK"]) if shared() else 0


def check_number(found: int) -> None:
    """Raises UserError unless a library that works on all processes together has found all of them."""
    if found != world():
        raise UserError(f"{found} of {world()} processes work together; is torch built with a backend for this device?")


def _wait_for(processes: int, module: str) -> None:
    import logging

    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # a process that fails says why itself
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
        _say_if_killed(number, failure)
        raise SystemExit(1) from None


def _say_if_killed(number: int, failure: Any) -> None:
    if failure.exitcode < 0:
        name = signal.Signals(-failure.exitcode).name
        hint = "; the system does that when memory runs out: a smaller device_batch_size may help"
        raise UserError(f"process {number} was ended by {name}{hint if name == 'SIGKILL' else ''}") from None


def _end_with_launcher() -> None:
    """Killed with -9, it cannot stop its processes: they would wait for one another, or write on."""
    launcher = os.getppid()

    def watch() -> None:
        while os.getppid() == launcher:
            time.sleep(POLL_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="launcher-watch").start()
