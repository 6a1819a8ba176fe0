"""Ends a process when the process that started it is killed, because nobody would stop it from writing on.

A stage ends with `dvc`, and each of several processes of a stage ends with their launcher: killed by `kill -9`, neither
can stop its children.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Sequence

import psutil

POLL_SECONDS = 0.5
SHELLS = {"sh", "bash", "dash", "zsh", "fish", "ksh", "ash", "busybox"}
ADOPTERS = {
    "systemd",
    "init",
    "launchd",
    "tini",
    "dumb-init",
    "docker-init",
}  # the parent of a process whose parent died
EXIT_STATUS = 1
RESUME = "the next `dvc repro` resumes from the last checkpoint"


def end_with_dvc() -> None:
    """End this process when dvc, or the shell between dvc and this process, ends.

    Does nothing if dvc did not start this process: a run started by hand with nohup should outlive the terminal.
    """
    if "DVC_STAGE" in os.environ:
        end_with(ancestors_to_dvc(), f"dvc has ended; {RESUME}")


def end_with_launcher() -> None:
    """End this process when its launcher ends, because the processes would wait for one another for ever."""
    parent = psutil.Process().parent()
    launcher = [parent] if parent and parent.name() not in ADOPTERS else []
    end_with(launcher, f"the launcher of the processes has ended; {RESUME}")


def end_with(ancestors: Sequence[psutil.Process], message: str) -> None:
    """Watch these processes from a thread; when one of them has ended, print the message and end this process.

    Args:
        ancestors: empty if they have ended already.
        message: is printed to standard error.
    """
    if not ancestors:
        _end(message)
    threading.Thread(target=_watch, args=(ancestors, message), daemon=True, name="orphan-watch").start()


def ancestors_to_dvc() -> list[psutil.Process]:
    """Return the shells above this process and the first ancestor that is no shell: dvc. Empty if dvc has ended."""
    chain: list[psutil.Process] = []
    for ancestor in psutil.Process().parents():
        chain.append(ancestor)
        name = ancestor.name()
        if name in ADOPTERS or (ancestor.pid == 1 and "dvc" not in " ".join(ancestor.cmdline())):
            return []
        if name not in SHELLS:
            return chain
    return []


def _watch(ancestors: Sequence[psutil.Process], message: str) -> None:
    while all(_is_alive(process) for process in ancestors):
        time.sleep(POLL_SECONDS)
    _end(message)


def _is_alive(process: psutil.Process) -> bool:
    """Count a zombie as dead: only its exit status is left."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _end(message: str) -> None:
    """Exit at once, without cleaning up: files on disk are whole at any moment, and the next run resumes from them."""
    with contextlib.suppress(OSError):  # the reader of our standard error may have ended too
        print(f"error: {message}", file=sys.stderr, flush=True)
    os._exit(EXIT_STATUS)
