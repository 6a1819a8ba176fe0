"""Training shared by two processes (gloo, CPU): the curve of one process, resumed to the same bytes, or refused."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file

from captioning.training.settings import Params
from pipeline.core.errors import UserError
from pipeline.core.params import read
from tests.helpers.full import full
from tests.helpers.training_checkpoints import wait_for_checkpoint

ROOT = Path(__file__).parents[3]
Project = Callable[..., Path]
# 24 items: an epoch is two steps of 10 and one of 4, which leaves one process without items of its own.
RUN = {
    "batch_size": 10,
    "machine.device_batch_size": 5,
    "caption_train.lora_dropout": 0.0,
    "caption_train.lr_min": 0.001,
}
ADAPTER = Path("data/adapters/tiny/adapter_model.safetensors")


def make_project_without_dropout(tiny_project: Project, family: str, changes: dict[str, object] | None = None) -> Path:
    project = tiny_project(family, RUN | (changes or {}))
    config = project / "data/models/tiny/config.json"
    config.write_text(json.dumps(remove_dropout(json.loads(config.read_text()))))
    return project


def remove_dropout(config: Any) -> Any:
    if not isinstance(config, dict):
        return config
    return {key: 0.0 if "dropout" in key or "drop" in key else remove_dropout(value) for key, value in config.items()}


def set_params(processes: int, sharding: str = "none") -> None:
    text = Path("params.yaml").read_text()
    text = text.replace("processes: 1", f"processes: {processes}").replace("sharding: none", f"sharding: {sharding}")
    Path("params.yaml").write_text(text)


def start_stage(*launcher: str, family: str = "blip2_t5") -> subprocess.Popen[str]:
    command = [*(launcher or [sys.executable]), "-m", "captioning.train", "--captioner", "tiny", "--family", family]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Waits for a run to end well, and returns its curve and its adapter."""
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    adapter = load_file(ADAPTER)
    curve = pd.read_csv("metrics/curves/tiny.csv")
    return curve.pivot(index="step", columns="kind", values="value").reset_index(), adapter


@pytest.mark.slow
@pytest.mark.parametrize(
    "family", [pytest.param("blip2_opt", marks=full), "blip2_t5", pytest.param("llava", marks=full)]
)
def test_two_processes_and_sharded_weights_give_the_curve_of_one(family: str, tiny_project: Project) -> None:
    make_project_without_dropout(tiny_project, family)
    alone, adapter = finish(start_stage(family=family))
    assert len(alone) == 9
    for sharding in ("none", "fsdp"):
        set_params(2, sharding)
        shared, weights = finish(start_stage(family=family))
        np.testing.assert_allclose(shared["loss"], alone["loss"], rtol=1e-5)
        np.testing.assert_allclose(shared["validation_loss"], alone["validation_loss"], rtol=1e-5)
        np.testing.assert_array_equal(shared["lr"], alone["lr"])
        assert weights.keys() == adapter.keys()
        for name in adapter:
            np.testing.assert_allclose(weights[name], adapter[name], atol=1e-4)


@pytest.mark.slow
def test_started_by_torchrun_it_trains_in_as_many_processes_and_refuses_another_number(tiny_project: Project) -> None:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    make_project_without_dropout(tiny_project, "blip2_opt", {"epochs": 1})
    refused = start_stage(*torchrun, family="blip2_opt")
    _, errors = refused.communicate(timeout=300)
    assert refused.returncode
    assert "processes: 1, but torchrun started 2" in errors
    assert not ADAPTER.exists()
    set_params(2)
    curve, _ = finish(start_stage(*torchrun, family="blip2_opt"))
    assert len(curve) == 3


@pytest.mark.slow
@pytest.mark.parametrize("sharding", ["none", pytest.param("fsdp", marks=full)])
def test_killed_it_goes_on_to_the_same_bytes(sharding: str, tiny_project: Project) -> None:
    """With dropout: checkpoints hold the random numbers of both processes, which end with the killed launcher."""
    project = tiny_project("blip2_t5", RUN | {"epochs": 12, "caption_train.patience": 12})
    set_params(2, sharding)
    finish(start_stage())
    expected = ADAPTER.read_bytes()
    ADAPTER.unlink()
    first = start_stage()
    wait_for_checkpoint(project, 4)
    first.send_signal(signal.SIGKILL)
    first.wait()
    wait_until_unlocked(project)
    finish(start_stage())
    assert ADAPTER.read_bytes() == expected


def wait_until_unlocked(project: Path) -> None:
    """Waits for the processes of a killed launcher, which end by themselves within a second or two."""
    import fcntl

    (lock,) = project.glob(".checkpoints/tiny-*/lock")
    end = time.monotonic() + 30
    with open(lock) as file:
        while time.monotonic() < end:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(0.1)
    raise AssertionError("the processes live on")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"machine.processes": 3}, "processes: 3 does not divide batch_size: 10"),
        ({"machine.processes": 5}, "device_batch_size: 5 does not divide batch_size: 10 / machine.processes: 5"),
        ({"machine.sharding": "fsdp"}, "sharding: fsdp shares weights among processes, but machine.processes: 1"),
        (
            {"machine.processes": 2, "machine.sharding": "fsdp", "caption_train.quantization": "nf4"},
            "caption_train.quantization: nf4 does not go with machine.sharding: fsdp",
        ),
        (
            {"machine.processes": 2, "machine.sharding": "fsdp", "machine.device_batch_size": "auto"},
            "machine.device_batch_size: auto does not go with machine.sharding: fsdp",
        ),
    ],
)
def test_what_processes_cannot_share_is_refused(tiny_project: Project, changes: dict, message: str) -> None:
    tiny_project("blip2_opt", RUN | changes)
    with pytest.raises(UserError, match=message):
        read(Params)
