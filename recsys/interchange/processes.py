"""Running another recommender library with its own Python, which an environment variable names."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from pipeline.core.errors import UserError

LAST_LINES = 8


def find_interpreter(variable: str, advice: str) -> str:
    """Return the Python that an environment variable names.

    Args:
        variable: The environment variable.
        advice: What to name where it is not set.

    Raises:
        UserError: It is not set, or is no program.
    """
    name = os.environ.get(variable, "")
    if not name:
        raise UserError(f"{variable} is not set: {advice}")
    program = shutil.which(os.path.expanduser(name))
    if program is None:
        raise UserError(f"{variable}={name}: no such program")
    return os.path.abspath(program)  # started in another folder; a virtual environment's link is not resolved


def find_configurations(folder: Path, names: list[str]) -> list[Path]:
    """Return the files of an exported folder's configurations of these names, or all where no names are given.

    Raises:
        UserError: There is no such configuration.
    """
    files = sorted((folder / "config_files").glob("*.yml"), key=lambda path: path.stem)
    missing = [name for name in names if name not in {path.stem for path in files}]
    if missing:
        raise UserError(
            f"{folder / 'config_files'}: no {', '.join(missing)}; there are: {', '.join(path.stem for path in files)}"
        )
    return [path for path in files if not names or path.stem in names]


def call(
    command: list[str], folder: Path, log: Path, problem: str, environment: Mapping[str, str] | None = None
) -> None:
    """Run a command in a folder, and keep what it prints.

    Args:
        command: The program and its arguments.
        folder: The folder to run in.
        log: The file for what it prints.
        problem: The beginning of the message where it fails.
        environment: All its environment variables; None: those of this process.

    Raises:
        UserError: It failed; the message ends with the last lines that it printed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as file:
        ended = subprocess.run(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, env=environment
        )
    if ended.returncode:
        last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
        raise UserError(
            f"{problem} (status {ended.returncode}, log {log}):\n" + "\n".join(f"  {line}" for line in last)
        )
