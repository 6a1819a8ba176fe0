"""How an entry module runs: `if __name__ == "__main__": run(main)`."""

import errno
import os
import re
import sys
from collections.abc import Callable

from pipeline.core.errors import UserError
from pipeline.core.memory import keep_freed_memory
from pipeline.core.record import record_costs

# Messages about a full disk of libraries that raise no OSError with its number: numpy (twice), safetensors, torch.
DISK_FULL = re.compile(
    r"Not enough free space to write|\d+ requested and \d+ written|No space left on device|unexpected pos \d+ vs \d+"
)

REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)  # permissions, or a disk mounted read-only


def run(main: Callable[[], None]) -> None:
    """Call `main` and write what it cost; turn an error that a user can act on into a message and exit status 1."""
    keep_freed_memory()
    try:
        with record_costs(_has_device(main)):
            main()
    except UserError as error:
        _stop(str(error))
    except KeyboardInterrupt:
        _stop("interrupted; `dvc repro` resumes from here")
    except Exception as error:
        if getattr(error, "errno", None) in REFUSED:
            _stop(f"{error}: nothing was changed; make it writable (or readable) for you and run `dvc repro` again")
        if not _disk_full(error):
            raise
        what = getattr(error, "filename", None) or "an output"
        _stop(
            f"disk full while writing {what}; no half-written file is left: free some space and run `dvc repro` again"
        )


def print_summary(message: str, threads: int | None = None) -> None:
    """Print the last line of a stage: outputs, key figures and, where rounding depends on them, CPU threads."""
    with_threads = f" ({threads} thread{'s' * (threads > 1)})" if threads else ""
    print(f"{os.environ.get('DVC_STAGE', 'done')}: {message}{with_threads}", flush=True)


def _has_device(main: Callable[[], None]) -> bool:
    """Return whether the parameters of a stage, `Params` beside its `main`, name the device."""
    params = getattr(sys.modules.get(main.__module__), "Params", None)
    return "device" in getattr(params, "model_fields", ())


def _disk_full(error: Exception) -> bool:
    numbers = (errno.ENOSPC, errno.EDQUOT)
    return getattr(error, "errno", None) in numbers or DISK_FULL.search(str(error)) is not None


def _stop(message: str) -> None:
    print(f"error: {message}", file=sys.stderr, flush=True)
    raise SystemExit(1)
