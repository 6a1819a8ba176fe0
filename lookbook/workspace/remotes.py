"""List DVC's remotes and try to reach them, for `lookbook doctor`."""

import re
import subprocess
import sys

NETWORK_SECONDS = 20
URL = re.compile(r"remote\.(?P<name>.+)\.url=(?P<url>.+)")
LIST_REMOTE = """
import sys
from dvc.repo import Repo
remote = Repo().cloud.get_remote(sys.argv[1])
try:
    remote.fs.info(remote.path)
except FileNotFoundError as error:  # the remote answers; the first push will create the folder
    if isinstance(error.__cause__, OSError):
        raise error.__cause__  # over HTTP, nothing answered
"""


def list_urls() -> list[tuple[str, str]]:
    """Return name and address of every remote; `dvc config` is read because `dvc remote list` breaks long lines."""
    ended = subprocess.run([sys.executable, "-m", "dvc", "config", "--list"], capture_output=True, text=True)
    matches = (URL.fullmatch(line) for line in ended.stdout.splitlines())
    return [(match["name"], match["url"]) for match in matches if match]


def find_problem(name: str) -> str:
    """Return why the remote cannot be listed, empty if it can; in a process of its own, which can be stopped."""
    words = [sys.executable, "-c", LIST_REMOTE, name]
    try:
        ended = subprocess.run(words, capture_output=True, text=True, timeout=NETWORK_SECONDS)
    except subprocess.TimeoutExpired:
        return f"no answer within {NETWORK_SECONDS} s"
    return (ended.stderr.strip().splitlines() or ["cannot be read"])[-1] if ended.returncode else ""
