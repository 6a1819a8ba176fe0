"""Work for a cluster in tests: files of one number each; the options say what goes wrong at one of them."""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from pipeline.cluster import Write
from pipeline.core.errors import UserError
from pipeline.core.outputs import new_file


def open_numbers(factor: int, at: int = -1, what: str = "", log: str = "", seconds: float = 0) -> Write:
    """Open what writes `number * factor`; `what` happens at the number `at`: refuse, fail, die.

    With `log`, the process adds a line for each file: its id, the file's name, and the GPUs that it may see.
    """

    def write(parts: Mapping[Path, int]) -> None:
        for path, number in parts.items():
            if number == at and what == "refuse":
                raise UserError(f"{number} is refused")
            if number == at and what == "fail":
                raise ZeroDivisionError("a defect")
            if number == at and what == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            with new_file(path) as partial:
                time.sleep(seconds)
                partial.write_text(str(number * factor))
            if log:
                with open(log, "a") as lines:
                    lines.write(f"{os.getpid()} {path.name} {os.environ.get('CUDA_VISIBLE_DEVICES', 'all')}\n")

    return write


def open_refused() -> Write:
    """Refuse to open anything."""
    raise UserError("there is nothing to open")
