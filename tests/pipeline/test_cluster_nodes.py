"""A real Ray cluster of two nodes: the bytes of one process, also when a node or the driver is lost; one message."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from pipeline import cluster
from pipeline.cluster import make_files
from pipeline.core.errors import UserError
from pipeline.machine import Where
from tests.helpers.cluster_work import open_numbers, open_refused
from tests.helpers.ray_nodes import Nodes, driver_environment, needs_ray, start_two_nodes
from tests.helpers.repository import ROOT

pytestmark = needs_ray
RAY = Where("ray", 1)
SECONDS = 120  # that a loaded machine may take for what takes ten
DRIVER = """
import sys
from pathlib import Path
from pipeline.cluster import make_files
from pipeline.core.stage import run
from pipeline.machine import Where
from tests.helpers.cluster_work import open_numbers
at, what, log, seconds = int(sys.argv[2]), sys.argv[3], sys.argv[4], float(sys.argv[5])
parts = {Path(sys.argv[1]) / f"{number}.txt": number for number in range(12)}
run(lambda: make_files(parts, open_numbers, 3, at, what, log, seconds, where=Where("ray", 1, sys.argv[6])) and None)
"""


def list_parts(folder: str = "out", n: int = 12) -> dict[Path, int]:
    return {Path(folder) / f"{number}.txt": number for number in range(n)}


def read_numbers(folder: str | Path = "out") -> list[int]:
    return [
        int((Path(folder) / f"{number}.txt").read_text()) for number in range(len(list(Path(folder).glob("*.txt"))))
    ]


def start_driver(
    nodes: Nodes, folder: Path, at: int, what: str, log: Path | str, seconds: float, device: str = "cpu"
) -> "subprocess.Popen[str]":
    """Start a driver of 12 parts: at which one something happens, what, the log, the seconds of a part, the device."""
    command = [sys.executable, "-c", DRIVER, *map(str, (folder, at, what, log, seconds, device))]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, env=driver_environment(nodes), stdout=pipe, stderr=pipe, text=True, cwd=folder.parent
    )


def wait_for(ready: object, what: str) -> None:
    end = time.monotonic() + SECONDS
    while not ready():  # type: ignore[operator]
        assert time.monotonic() < end, what
        time.sleep(0.1)


def list_made(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def test_two_nodes_make_the_files_and_each_opens_once(two_nodes: Nodes) -> None:
    log = Path("log.txt").absolute()
    made = make_files(list_parts(), open_numbers, 3, -1, "", str(log), 1.0, where=RAY, together=2)
    assert read_numbers() == [3 * number for number in range(12)]
    assert made == list(list_parts())
    processes = Counter(line.split()[0] for line in list_made(log))
    assert len(processes) == 2
    assert sum(processes.values()) == 12


def test_a_second_round_in_the_same_folder_has_its_own_arguments(two_nodes: Nodes) -> None:
    make_files(list_parts(), open_numbers, 3, where=RAY)
    make_files(list_parts(n=20), open_numbers, 5, where=RAY)
    assert read_numbers() == [number * (3 if number < 12 else 5) for number in range(20)]


def test_a_refused_part_is_one_message_and_ends_the_others(two_nodes: Nodes) -> None:
    with pytest.raises(UserError, match=r"^4 is refused$"):
        make_files(list_parts(), open_numbers, 3, 4, "refuse", "", 0.2, where=RAY)
    with pytest.raises(UserError, match=r"^there is nothing to open$"):
        make_files(list_parts("other"), open_refused, where=RAY)
    make_files(list_parts(), open_numbers, 3, where=RAY)  # both nodes are free again
    assert read_numbers() == [3 * number for number in range(12)]


def test_a_defect_comes_with_the_traceback_of_its_process(two_nodes: Nodes) -> None:
    with pytest.raises(Exception, match=r"(?s)cluster_work.*in write.*ZeroDivisionError.*a defect"):
        make_files(list_parts(), open_numbers, 3, 2, "fail", where=RAY)


def test_nodes_of_another_kind_are_refused(two_nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "_find_hardware", lambda *_: "a processor of another kind")
    with pytest.raises(UserError, match="nodes of the Ray cluster differ"):
        make_files(list_parts(), open_numbers, 3, where=RAY)
    assert [path.name for path in Path("out").iterdir()] == [cluster.HARDWARE]


def test_each_process_of_nodes_with_a_gpu_gets_one_of_them(tmp_path: Path) -> None:
    """Nodes that say they have two GPUs, and none that PyTorch finds."""
    (tmp_path / "logs").mkdir()
    with start_two_nodes(tmp_path / "logs", "--num-gpus=2", "--num-cpus=2") as nodes:
        driver = start_driver(nodes, tmp_path / "out", -1, "", tmp_path / "log.txt", 0.5, "cuda")
        _, errors = driver.communicate(timeout=SECONDS)
    assert driver.returncode == 0, errors
    assert "2 node(s), 4 CPU, 4 GPU" in errors
    assert read_files(tmp_path / "out") == [3 * number for number in range(12)]
    gpus = {line.split()[0]: line.split()[2] for line in list_made(tmp_path / "log.txt")}
    assert len(gpus) == 4
    assert sorted(gpus.values()) == ["0", "0", "1", "1"]


def test_without_an_address_this_machine_alone_makes_the_files(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    options = map(str, (tmp_path / "out", -1, "", "", 0, "cpu"))
    driver = subprocess.run(
        [sys.executable, "-c", DRIVER, *options], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert driver.returncode == 0, driver.stderr
    assert "this machine alone, since RAY_ADDRESS is not set: 1 node(s)" in driver.stderr
    assert read_files(tmp_path / "out") == [3 * number for number in range(12)]


def test_a_user_sees_the_cluster_and_one_message(nodes: Nodes, tmp_path: Path) -> None:
    driver = start_driver(nodes, tmp_path / "out", 4, "refuse", "", 0.2)
    out, errors = driver.communicate(timeout=SECONDS)
    connected = f"Ray: the cluster at {nodes.address}: 2 node(s), 2 CPU, 0 GPU\n"
    assert (driver.returncode, out, errors) == (1, "", f"{connected}error: 4 is refused\n")


def test_a_process_that_dies_each_time_is_given_up(nodes: Nodes, tmp_path: Path) -> None:
    driver = start_driver(nodes, tmp_path / "out", 1, "die", "", 0)
    _, errors = driver.communicate(timeout=SECONDS)
    assert driver.returncode == 1
    assert "1.txt: the process of the Ray cluster that made it was ended each time (WorkerCrashedError" in errors
    assert "Traceback" not in errors


def test_a_killed_driver_leaves_no_task_and_the_next_makes_what_is_missing(nodes: Nodes, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    first = start_driver(nodes, tmp_path / "out", -1, "", log, 1)
    wait_for(lambda: len(list_made(log)) >= 3, "no part was made")
    first.send_signal(signal.SIGKILL)
    first.communicate()
    own = {int(line.split()[0]) for line in list_made(log)}
    wait_for(lambda: not any(is_running(pid) for pid in own), "tasks of a killed driver go on")
    before = len(list((tmp_path / "out").glob("*.txt")))
    assert 3 <= before < 12
    log.unlink()
    second = start_driver(nodes, tmp_path / "out", -1, "", log, 0)
    _, errors = second.communicate(timeout=SECONDS)
    assert second.returncode == 0, errors
    assert len(list_made(log)) == 12 - before
    assert read_files(tmp_path / "out") == [3 * number for number in range(12)]


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def read_files(folder: Path) -> list[int]:
    """Return the numbers of the twelve files, beside which a killed process may have left half of one."""
    return [int((folder / f"{number}.txt").read_text()) for number in range(12)]


def test_the_parts_of_a_killed_node_are_made_by_the_other(nodes: Nodes, tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    name = nodes.join(3)
    nodes.wait(3)
    driver = start_driver(nodes, tmp_path / "out", -1, "", log, 1)
    wait_for(lambda: len(list_made(log)) >= 4, "no part was made")
    nodes.kill(name)
    _, errors = driver.communicate(timeout=SECONDS)
    assert driver.returncode == 0, errors
    assert read_files(tmp_path / "out") == [3 * number for number in range(12)]


def test_the_parts_of_a_frozen_node_are_made_by_the_other_and_it_may_wake(nodes: Nodes, tmp_path: Path) -> None:
    """A node whose processes stop answers nobody: Ray takes it for dead after a minute, and asks for its part again."""
    log = tmp_path / "log.txt"
    name = nodes.join(4)
    nodes.wait(3)
    driver = start_driver(nodes, tmp_path / "out", -1, "", log, 1.5)

    def find_makers() -> set[int]:
        return {int(line.split()[0]) for line in list_made(log)} & {process.pid for process in nodes.members(name)}

    wait_for(find_makers, "the node made no part")
    stopped = find_makers()
    nodes.signal(name, signal.SIGSTOP)
    began = time.monotonic()
    _, errors = driver.communicate(timeout=2 * SECONDS)
    assert driver.returncode == 0, errors
    assert time.monotonic() - began > 20, "nobody waited for the part of the frozen node"
    contents = [3 * number for number in range(12)]
    assert read_files(tmp_path / "out") == contents
    nodes.signal(name, signal.SIGCONT)
    wait_for(lambda: not any(is_running(pid) for pid in stopped), "a node that was given up goes on")
    assert read_files(tmp_path / "out") == contents
    nodes.kill(name)
