"""How an entry module runs: `if __name__ == "__main__": run(main)`."""

import errno
import os
import sys
from collections.abc import Callable

from pipeline.errors import UserError


def run(main: Callable[[], None]) -> None:
    """Calls `main`; an error that a user can act on becomes one message and exit status 1, without a traceback."""
    try:
        main()
    except UserError as error:
        _stop(str(error))
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _stop(f"disk full while writing {error.filename or 'an output'}; nothing half-written was kept: free some space and run `dvc repro` again")
    except KeyboardInterrupt:
        _stop("interrupted; `dvc repro` goes on from here")


def done(message: str) -> None:
    """The one line with which a stage ends: what it wrote, and the key figures."""
    print(f"{os.environ.get('DVC_STAGE', 'done')}: {message}", flush=True)


def _stop(message: str) -> None:
    print(f"error: {message}", file=sys.stderr, flush=True)
    raise SystemExit(1)
