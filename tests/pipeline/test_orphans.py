"""A stage ends when the dvc that started it is killed, and not otherwise."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from pipeline import orphans

Start = Callable[[str, bool], tuple[subprocess.Popen, int]]

STAGE = """
import os, pathlib, sys, time
from pipeline.orphans import end_with_dvc
pathlib.Path("pid.partial").write_text(str(os.getpid()))
end_with_dvc()
os.replace("pid.partial", "pid")
time.sleep(60)
"""
DVC = """
import subprocess, sys
subprocess.run(["/bin/sh", "-c", sys.argv[1]])
"""


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a program that, as dvc does, runs the stage through a shell; return it and the stage's process id."""
    (tmp_path / "stage.py").write_text(STAGE)
    started = []

    def begin(command: str, in_dvc: bool) -> tuple[subprocess.Popen, int]:
        environment = {name: value for name, value in os.environ.items() if name != "DVC_STAGE"}
        environment |= {"PYTHONPATH": str(Path(__file__).parents[2])} | (
            {"DVC_STAGE": "caption_train"} if in_dvc else {}
        )
        line = command.format(python=sys.executable)
        parent = subprocess.Popen([sys.executable, "-c", DVC, line], cwd=tmp_path, env=environment)
        assert wait_until((tmp_path / "pid").exists, 20)
        started.append(int((tmp_path / "pid").read_text()))
        return parent, started[-1]

    yield begin
    for pid in started:
        if alive(pid):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command", ["exec {python} stage.py", "{python} stage.py; true"], ids=["no shell", "shell between"]
)
def test_a_killed_dvc_ends_its_stage(start: Start, command: str) -> None:
    dvc, stage = start(command, True)
    time.sleep(1)
    assert alive(stage)
    dvc.kill()
    dvc.wait()
    assert wait_until(lambda: not alive(stage), 5)


@pytest.mark.slow
def test_a_run_by_hand_outlives_what_started_it(start: Start) -> None:
    shell, stage = start("{python} stage.py; true", False)
    shell.kill()
    shell.wait()
    assert not wait_until(lambda: not alive(stage), 2)


@pytest.mark.parametrize("adopter", ["init", "systemd"])
def test_a_dvc_that_ended_before_its_stage_looked(monkeypatch: pytest.MonkeyPatch, adopter: str) -> None:
    """The parent of an orphan is a process of `ADOPTERS`."""

    class Ancestor:
        pid = 4711

        def __init__(self, name: str) -> None:
            self.name = lambda: name

    for names, expected in [(["sh", adopter], 0), ([adopter], 0), (["bash", "dvc", "zsh", adopter], 2), ([], 0)]:
        process = type("Process", (), {"parents": lambda self, names=names: [Ancestor(name) for name in names]})
        monkeypatch.setattr(orphans.psutil, "Process", process)
        assert len(orphans.ancestors_to_dvc()) == expected


INIT = """
import ctypes, subprocess, sys, time
PR_SET_CHILD_SUBREAPER = 36
assert ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1) == 0
launch = "import subprocess, sys; subprocess.Popen([sys.executable, 'child.py'])"
subprocess.run([sys.argv[1], "-c", launch], check=True)
time.sleep(60)
"""
CHILD = """
import os, pathlib, psutil, time
from pipeline.orphans import end_with_launcher
while psutil.Process().parent().name() != "init":
    time.sleep(0.05)
pathlib.Path("pid").write_text(str(os.getpid()))
end_with_launcher()
time.sleep(60)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs a process that adopts orphans")
def test_a_process_whose_launcher_has_ended_already_ends(tmp_path: Path) -> None:
    (tmp_path / "init").symlink_to(sys.executable)
    (tmp_path / "child.py").write_text(CHILD)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    init = subprocess.Popen(
        [tmp_path / "init", "-c", INIT, sys.executable],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert wait_until((tmp_path / "pid").exists, 20)
        child = int((tmp_path / "pid").read_text() or 0)
        assert wait_until(lambda: not alive(child), 5)
    finally:
        init.kill()
    assert "the launcher of the processes has ended" in init.communicate()[1]
