"""Ends a stage when the `dvc` that started it dies: killed with -9, dvc cannot stop its child, which would write on."""

import contextlib
import os
import sys
import threading
import time

import psutil

POLL_SECONDS = 0.5
SHELLS = {"sh", "bash", "dash", "zsh", "fish", "ksh", "ash", "busybox"}
ADOPTERS = {"systemd", "init", "launchd", "tini", "dumb-init", "docker-init"}  # who inherits a child whose parent died
ORPHANED = 1


def end_with_dvc() -> None:
    """Watches dvc, and the shell it may have put in between, from a thread. Does nothing where dvc did not start this.

    A run started by hand is left alone: with nohup it may well outlive the terminal.
    """
    if "DVC_STAGE" not in os.environ:
        return
    chain = ancestors_to_dvc()
    if not chain:
        _end()
    threading.Thread(target=_watch, args=(chain,), daemon=True, name="orphan-watch").start()


def ancestors_to_dvc() -> list[psutil.Process]:
    """The shells above this process and the first ancestor that is none, which is dvc; empty if it has already gone."""
    chain: list[psutil.Process] = []
    for ancestor in psutil.Process().parents():
        chain.append(ancestor)
        name = ancestor.name()
        if name in ADOPTERS or (ancestor.pid == 1 and "dvc" not in " ".join(ancestor.cmdline())):
            return []
        if name not in SHELLS:
            return chain
    return []


def _watch(chain: list[psutil.Process]) -> None:
    while all(_alive(process) for process in chain):
        time.sleep(POLL_SECONDS)
    _end()


def _alive(process: psutil.Process) -> bool:
    """A zombie is dead: its parent has not asked for it yet."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _end() -> None:
    """At once, without cleaning up: what is on disk is whole at any moment, and the next run resumes from it."""
    with contextlib.suppress(OSError):  # who read our standard error may be gone too
        print(
            "error: dvc has ended; the next `dvc repro` goes on from the last checkpoint", file=sys.stderr, flush=True
        )
    os._exit(ORPHANED)
