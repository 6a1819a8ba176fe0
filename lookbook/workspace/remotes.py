"""DVC's remotes as `lookbook doctor` sees them: their addresses, and whether they answer."""

import re
import subprocess
import sys

NETWORK_SECONDS = 20
URL = re.compile(r"remote\.(?P<name>.+)\.url=(?P<url>.+)")
LOOK = """
import sys
from dvc.repo import Repo
remote = Repo().cloud.get_remote(sys.argv[1])
try:
    remote.fs.info(remote.path)
except FileNotFoundError as error:  # it answers, and the first push will make it
    if isinstance(error.__cause__, OSError):
        raise error.__cause__  # over http nobody answered
"""


def urls() -> list[tuple[str, str]]:
    """Name and address of every remote. (`dvc remote list` breaks long lines.)"""
    shown = subprocess.run([sys.executable, "-m", "dvc", "config", "--list"], capture_output=True, text=True)
    found = (URL.fullmatch(line) for line in shown.stdout.splitlines())
    return [(one["name"], one["url"]) for one in found if one]


def unreachable(name: str) -> str:
    """Why the remote cannot be listed; empty if it can. In a process of its own, which can be given up."""
    words = [sys.executable, "-c", LOOK, name]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=NETWORK_SECONDS)
    except subprocess.TimeoutExpired:
        return f"no answer within {NETWORK_SECONDS} s"
    return (done.stderr.strip().splitlines() or ["cannot be read"])[-1] if done.returncode else ""
