"""Several processes from one: as many as the parameters say, and they end together."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipeline import processes
from pipeline.core.errors import UserError

ROOT = Path(__file__).parents[2]
PROGRAM = """
import os, sys, time
from pipeline.core.errors import UserError
from pipeline.processes import local_rank, rank, share, world_size
from pipeline.core.stage import run

def main():
    share(int(sys.argv[1]), "program")
    with open(f"rank-{rank()}", "w") as file:
        file.write(f"{world_size()} {local_rank()} {os.getpid()} {sys.argv[2:]}")
    if "fail" in sys.argv and rank() == 1:
        raise UserError("lr: too large")
    if "killed" in sys.argv and rank() == 1:
        os.kill(os.getpid(), 9)
    while "wait" in sys.argv or "fail" in sys.argv or "killed" in sys.argv:
        time.sleep(0.1)

if __name__ == "__main__":
    run(main)
"""


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    (folder / "program.py").write_text(PROGRAM)
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{folder}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "program", *arguments]
    return subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.PIPE, text=True)


def wait_for(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, errors = process.communicate(timeout=120)
    return process.returncode, errors


@pytest.mark.slow
def test_each_process_knows_its_rank_and_gets_the_arguments(tmp_path: Path) -> None:
    assert wait_for(start(tmp_path, "2", "--captioner", "tiny")) == (0, "")
    lines = [(tmp_path / f"rank-{rank}").read_text().split(" ", 3) for rank in range(2)]
    assert [(world, local) for world, local, _, _ in lines] == [("2", "0"), ("2", "1")]
    assert {arguments for *_, arguments in lines} == {"['--captioner', 'tiny']"}
    assert sorted(path.name for path in tmp_path.glob("rank-*")) == ["rank-0", "rank-1"]


def test_a_single_process_is_not_launched(tmp_path: Path) -> None:
    process = start(tmp_path, "1")
    assert wait_for(process) == (0, "")
    assert (tmp_path / "rank-0").read_text() == f"1 0 {process.pid} []"


@pytest.mark.slow
def test_an_error_of_a_process_is_the_message_of_the_stage(tmp_path: Path) -> None:
    """It is one line, without the launcher's report, and the other process does not wait for ever."""
    assert wait_for(start(tmp_path, "2", "fail")) == (1, "error: lr: too large\n")


@pytest.mark.slow
def test_a_killed_process_is_named(tmp_path: Path) -> None:
    code, errors = wait_for(start(tmp_path, "2", "killed"))
    assert code == 1
    assert errors.startswith("error: process 1 was ended by SIGKILL")


@pytest.mark.slow
def test_a_killed_launcher_ends_its_processes(tmp_path: Path) -> None:
    process = start(tmp_path, "2", "wait")
    end = time.monotonic() + 60
    while len(list(tmp_path.glob("rank-*"))) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    time.sleep(0.2)
    others = [int((tmp_path / f"rank-{rank}").read_text().split()[2]) for rank in range(2)]
    with process:  # closes its pipes
        process.send_signal(signal.SIGKILL)
    end = time.monotonic() + 30
    while any(psutil.pid_exists(other) for other in others) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(psutil.pid_exists(other) for other in others)


def test_another_number_than_the_parameters_say_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "4", "RANK": "2", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=r"processes: 2, but torchrun started 4; set machine\.processes: 4"):
        processes.share(2, "captioning.train")
    assert (processes.world_size(), processes.rank(), processes.local_rank()) == (4, 2, 0)
    processes.check_number(4)
    with pytest.raises(UserError, match="1 of 4 processes work together"):
        processes.check_number(1)
