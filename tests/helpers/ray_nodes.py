"""A real Ray cluster on loopback, with a token: each node is a `ray start` of one CPU, ended by its process ids."""

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest

from tests.helpers.full import full

HEAD = "127.0.0.9"  # Ray turns 127.0.0.1 into the machine's own address
OTHERS = "127.0.0.{}"
STORE_BYTES = 80_000_000
START_SECONDS = 120
needs_ray = [  # with the fixture `two_nodes`, which comes before Ray is imported and reads the environment
    pytest.mark.slow,
    full,  # a driver that loses its node ends its process, and pytest-xdist's worker with it: run with -n 0
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="pip install -e '.[cluster]'"),
]
COMMON = ("--disable-usage-stats", "--block", f"--object-store-memory={STORE_BYTES}")


class Nodes:
    """Nodes of a cluster; `environment` is what a driver needs to reach it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = find_free_port()
        self.address = f"{HEAD}:{self.port}"
        secret = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self.environment = {"RAY_ADDRESS": self.address, **secret}
        self.temporary = ""
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start_head(self, *options: str) -> None:
        """Start the first node; the others join it."""
        self.temporary = tempfile.mkdtemp(prefix="ray-")  # a short path, because sockets lie in it
        ports = ("--head", f"--port={self.port}", f"--temp-dir={self.temporary}", "--include-dashboard=false")
        self._start(HEAD, *ports, *options)

    def join(self, number: int, *options: str, **variables: str) -> str:
        """Start another node; return its name."""
        name = OTHERS.format(number)
        self._start(name, f"--address={self.address}", *options, **variables)
        return name

    def _start(self, name: str, *options: str, **variables: str) -> None:
        environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
        environment |= self.environment | variables
        del environment["RAY_ADDRESS"]
        command = [str(Path(sys.executable).with_name("ray")), "start", f"--node-ip-address={name}", *COMMON, *options]
        if not any(option.startswith("--num-cpus") for option in options):
            command.append("--num-cpus=1")
        with open(self.folder / f"{name}.txt", "wb") as log:
            self.processes[name] = subprocess.Popen(
                command, env=environment, stdout=log, stderr=log, start_new_session=True
            )

    def wait(self, n_nodes: int) -> None:
        """Wait until so many nodes are there."""
        code = (
            "import os, sys, time, ray\n"
            "ray.init(os.environ['RAY_ADDRESS'], logging_level='error', log_to_driver=False)\n"
            "while sum(node['Alive'] for node in ray.nodes()) < int(sys.argv[1]): time.sleep(0.1)\n"
        )
        command = [sys.executable, "-c", code, str(n_nodes)]
        environment = os.environ | self.environment
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as asking:
            end = time.monotonic() + START_SECONDS
            while asking.poll() is None and time.monotonic() < end:
                if any(process.poll() is not None for process in self.processes.values()):
                    break
                time.sleep(0.1)
            asking.kill()
        if asking.returncode:
            raise RuntimeError("\n".join(path.read_text() for path in self.folder.glob("127.*.txt")))

    def members(self, name: str) -> list[psutil.Process]:
        """Return the processes of a node, its own first."""
        with contextlib.suppress(psutil.NoSuchProcess):
            own = psutil.Process(self.processes[name].pid)
            return [own, *own.children(recursive=True)]
        return []

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to every process of a node at once, as if its machine were lost."""
        for process in self.members(name):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(number)

    def kill(self, name: str) -> None:
        """End a node with -9."""
        self.signal(name, signal.SIGKILL)
        self.processes.pop(name).wait()

    def end(self) -> None:
        """End every node, the head last."""
        for name in list(self.processes)[::-1]:
            self.kill(name)
        shutil.rmtree(self.temporary, ignore_errors=True)


@contextlib.contextmanager
def start_two_nodes(folder: Path, *options: str) -> Iterator[Nodes]:
    """Start a head and one other node, with a CPU each, and end them."""
    nodes = Nodes(folder)
    try:
        nodes.start_head(*options)
        nodes.wait(1)
        nodes.join(2, *options)
        nodes.wait(2)
        yield nodes
    finally:
        nodes.end()


def find_free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as found:
        found.bind(("", 0))
        return int(found.getsockname()[1])


def driver_environment(nodes: Nodes, **more: str) -> Mapping[str, str]:
    """Return the environment of a driver in a process of its own."""
    return {**os.environ, **nodes.environment, "PYTHONPATH": str(Path(__file__).parents[2]), **more}
