"""Twenty runs killed at random moments end with the same adapter bytes as a run that was not killed (`.ci/full`)."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers.full import full

ROOT = Path(__file__).parents[3]
ADAPTER = Path("data/adapters/tiny/adapter_model.safetensors")
KILLS = 20
SEED = 20_26


def start() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "captioning.train", "--captioner", "tiny", "--family", "blip2_t5"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return output


def wait_for_training(process: subprocess.Popen[str]) -> None:
    """Until the run's folder is there: what comes before it imports libraries."""
    end = time.monotonic() + 120
    while not list(Path(".checkpoints").glob("tiny-*/live")) and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)


@pytest.mark.slow
@full
@pytest.mark.timeout(1800)
def test_twenty_kills_at_random_moments_change_no_byte(tiny_project: Callable[..., Path]) -> None:
    """Each kill falls somewhere in the time that training, evaluation, saving and writing the outputs take."""
    tiny_project("blip2_t5", {"epochs": 20, "caption_train.patience": 20, "machine.checkpoint_steps": 2})
    first = start()
    wait_for_training(first)
    began = time.monotonic()
    finish(first)
    lasting, expected = time.monotonic() - began, ADAPTER.read_bytes()
    moments, resumed = random.Random(SEED), 0
    for number in range(KILLS):
        ADAPTER.unlink(missing_ok=True)
        killed = start()
        wait_for_training(killed)
        time.sleep(moments.uniform(0, lasting))
        killed.kill()
        killed.communicate()
        resumed += "resuming from" in finish(start())
        assert ADAPTER.read_bytes() == expected, f"kill {number}"
    assert resumed > KILLS / 3  # the kills met runs that had something to lose
