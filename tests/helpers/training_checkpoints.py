"""Wait for a training process to write a checkpoint."""

import time
from pathlib import Path


def wait_for_checkpoint(project: Path, step: int) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        steps = [int(path.name.split("-")[-1]) for path in project.glob(".checkpoints/*/checkpoint-*[0-9]")]
        if any(number >= step for number in steps):
            return
        time.sleep(0.02)
    raise AssertionError(f"no checkpoint of step {step} within 120 s")
