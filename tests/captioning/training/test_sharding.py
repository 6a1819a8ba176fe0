"""Processes that share a model's weights: how much memory they take while they load it, one after the other."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from sample.pretraining.architectures import Size, create_captioner
from sample.pretraining.tokenizer import train_tokenizer

ROOT = Path(__file__).parents[3]
PROCESSES = 3
LOAD = """
import gc, json, sys, time
from pathlib import Path
from captioning.training import fine_tuning
from captioning.training.settings import Params
from pipeline.core.params import read
from pipeline.processes import rank
from torch import distributed


def memory(name):
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return 1024 * int(line.split()[1])


params, run = read(Params), Path("run")
fine_tuning.prepare_torch(params)
fine_tuning.connect(params)
distributed.barrier()
before = memory("RssAnon")
with fine_tuning.take_turns_if_sharded(params, run) as mesh:
    start = time.monotonic()
    captioner = fine_tuning.load_with_adapter(Path("data/models/tiny"), "llava", params, mesh)
    peak, end = memory("VmHWM") - memory("RssFile"), time.monotonic()
gc.collect()
patience = distributed.group.WORLD._get_backend(fine_tuning.choose_device(params)).options._timeout.total_seconds()
Path(f"{rank()}.json").write_text(json.dumps(
    {"start": start, "end": end, "peak": peak - before, "kept": memory("RssAnon") - before, "patience": patience}))
distributed.barrier()
"""


@pytest.mark.slow
def test_sharded_weights_are_whole_in_one_process_at_a_time(tiny_project: Callable[..., Path]) -> None:
    """So N processes need the memory of the model and of its parts, and not that of N models."""
    project = tiny_project("llava", {"machine.processes": PROCESSES, "machine.sharding": "fsdp", "batch_size": 24})
    torch.manual_seed(0)
    size = Size(image=32, vision_width=16, vision_layers=1, text_width=768, text_layers=8)
    captioner = create_captioner("llava", train_tokenizer("llava", ["USER: a red shirt ASSISTANT:"], 320), size)
    captioner.model.save_pretrained(project / "data/models/tiny")
    whole = 4 * captioner.base.num_parameters()
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(PROCESSES)]
    (project / "load.py").write_text(LOAD)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run([*launcher, "load.py"], cwd=project, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    turns = sorted((json.loads((project / f"{rank}.json").read_text()) for rank in range(PROCESSES)), key=start)
    assert all(first["end"] <= second["start"] for first, second in pairwise(turns))
    assert all(turn["patience"] >= 3600 for turn in turns)  # the last turn may come after many minutes
    in_all = [turn["peak"] + sum(before["kept"] for before in turns[:number]) for number, turn in enumerate(turns)]
    assert whole < max(in_all) < 2.2 * whole


def start(turn: dict[str, float]) -> float:
    """Returns when a process began to load."""
    return turn["start"]
