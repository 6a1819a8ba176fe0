"""Runs exported configurations in an interpreter that has Elliot: ELLIOT_PYTHON names it."""

import os
import shutil
import subprocess
from pathlib import Path

from pipeline.core.errors import UserError
from recsys.interchange.elliot.results import exported_folder, read_about

PROGRAM = "import sys; from elliot.run import run_experiment; run_experiment(sys.argv[1])"
PROGRAMS = ("elliot", "ducho")
LAST_LINES = 8


def interpreter() -> str:
    """The interpreter that has Elliot.

    Raises:
        UserError: ELLIOT_PYTHON is not set, or is no program.
    """
    named = os.environ.get("ELLIOT_PYTHON", "")
    if not named:
        raise UserError(
            "ELLIOT_PYTHON is not set: name the Python that has Elliot 0.3.1 installed (or its requirements, with "
            "--checkout), such as ELLIOT_PYTHON=~/elliot/venv/bin/python"
        )
    found = shutil.which(os.path.expanduser(named))
    if found is None:
        raise UserError(f"ELLIOT_PYTHON={named}: no such program")
    return os.path.abspath(found)  # it is started in another folder; a link stays one, for a virtual environment's sake


def configurations(folder: Path, program: str, names: list[str]) -> list[Path]:
    """The files to run: the named ones, or all of `elliot` or of `ducho`.

    Raises:
        UserError: there is no such configuration.
    """
    there = sorted((folder / "config_files").glob("*.yml"), key=lambda path: path.stem)
    own = [path for path in there if _is_of(path, program)]
    if not names:
        return own
    missing = [name for name in names if name not in {path.stem for path in there}]
    if missing:
        raise UserError(
            f"{folder / 'config_files'}: no {', '.join(missing)}; there are: {', '.join(path.stem for path in there)}"
        )
    return [path for path in there if path.stem in names]


def run(
    path: Path, program: str = "elliot", names: list[str] | None = None, checkout: Path | None = None
) -> list[Path]:
    """Runs the configurations one after the other, in place of their earlier results; returns the logs.

    Args:
        checkout: a folder with Elliot's source, or Ducho-meets-Elliot's, where it is not installed.

    Raises:
        UserError: the interpreter has no Elliot, the checkout lacks the models of Ducho-meets-Elliot, or a configuration
            failed; the message ends with what it printed last.
    """
    folder, python = exported_folder(path), interpreter()
    where = (checkout or folder).resolve()
    if not where.is_dir():
        raise UserError(f"{where}: no such folder")
    files = configurations(folder, program, names or [])
    if any(_is_of(file, "ducho") for file in files):
        _link_external_models(folder, where)
    _call([python, "-c", "import elliot.run"], where, folder / "logs" / "import.log", f"{python} has no Elliot")
    datasets = list(read_about(folder)["features"])
    logs = []
    for file in files:
        dataset = "-".join([datasets[0], *file.stem.split("-")[1:]])
        shutil.rmtree(folder / "results" / dataset, ignore_errors=True)
        logs.append(folder / "logs" / f"{file.stem}.log")
        _call([python, "-c", PROGRAM, str(file)], where, logs[-1], f"{file}: Elliot failed")
    return logs


def _is_of(path: Path, program: str) -> bool:
    return path.stem.split("-")[0] == program


def _link_external_models(folder: Path, checkout: Path) -> None:
    """Ducho-meets-Elliot's own models, where its configurations look for them: in a folder beside their own."""
    external, link = checkout / "external", folder / "external"
    if not (external / "models" / "__init__.py").is_file():
        raise UserError(f"{checkout}: no external/models; name the folder of Ducho-meets-Elliot with --checkout")
    if link.is_symlink() or not link.exists():  # a folder of the user's own stays
        link.unlink(missing_ok=True)
        link.symlink_to(external, target_is_directory=True)


def _call(command: list[str], where: Path, log: Path, problem: str) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as file:
        ended = subprocess.run(command, cwd=where, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
    if ended.returncode:
        last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
        raise UserError(
            f"{problem} (status {ended.returncode}, log {log}):\n" + "\n".join(f"  {line}" for line in last)
        )
