"""Two hosts on this machine: network namespaces with an address each, where a program sees no process of others."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PROGRAMS = ("ip", "unshare", "mount", "bash")
NETWORK = "10.77.0"
# Ray's own folder belongs to the host; everything else is shared, as a study's folder is.
INSIDE = "mkdir -p /tmp/ray && mount -t tmpfs tmpfs /tmp/ray && "


class Hosts:
    """Hosts by their addresses."""

    def __init__(self) -> None:
        self.names = {f"{NETWORK}.{number}": f"lookbook-{os.getpid()}-{number}" for number in (1, 2)}
        self.addresses = list(self.names)

    def run_everywhere(
        self, command: str, environment: Mapping[str, str], folder: Path, seconds: float
    ) -> dict[str, tuple[int, str]]:
        """Run a command of bash on all hosts at once, and return how it ended and what it printed, by address.

        Raises:
            TimeoutExpired: it takes longer.
        """
        inside = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "bash", "-c", INSIDE + command]
        with contextlib.ExitStack() as stack:
            started = {}
            for address, name in self.names.items():
                process = subprocess.Popen(
                    ["ip", "netns", "exec", name, *inside],
                    env=environment,
                    cwd=folder,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                )
                stack.enter_context(process)
                stack.callback(process.kill)
                started[address] = process
            said = {address: process.communicate(timeout=seconds)[0] for address, process in started.items()}
            return {address: (process.returncode, said[address]) for address, process in started.items()}


@contextlib.contextmanager
def make_two_hosts() -> Iterator[Hosts]:
    """Make two hosts with a cable between them; skip the test where the machine allows none."""
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        pytest.skip(f"no program {', '.join(missing)} here")
    hosts = Hosts()
    ends = [f"lb{os.getpid()}.{number}" for number in (1, 2)]
    try:
        for name in hosts.names.values():
            tried = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
            if tried.returncode:
                pytest.skip(f"no network namespace can be made here: {tried.stderr.strip()}")
        run("ip", "link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for end, (address, name) in zip(ends, hosts.names.items(), strict=True):
            run("ip", "link", "set", end, "netns", name)
            run("ip", "-n", name, "address", "add", f"{address}/24", "dev", end)
            run("ip", "-n", name, "link", "set", end, "up")
            run("ip", "-n", name, "link", "set", "lo", "up")
        yield hosts
    finally:
        for name in hosts.names.values():
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def run(*words: str) -> None:
    """Run a program.

    Raises:
        CalledProcessError: it failed.
    """
    subprocess.run(words, check=True, capture_output=True)
