"""Running exported configurations with a Python that has Elliot installed: ELLIOT_PYTHON names it."""

import os
import shutil
import subprocess
from pathlib import Path

from pipeline.core.errors import UserError
from recsys.interchange.elliot.about import find_exported_folder, read_about

PROGRAM = "import sys; from elliot.run import run_experiment; run_experiment(sys.argv[1])"
PROGRAMS = ("elliot", "ducho")
LAST_LINES = 8


def find_interpreter() -> str:
    """Return the Python that ELLIOT_PYTHON names.

    Raises:
        UserError: ELLIOT_PYTHON is not set, or is no program.
    """
    name = os.environ.get("ELLIOT_PYTHON", "")
    if not name:
        raise UserError(
            "ELLIOT_PYTHON is not set: name the Python that has Elliot 0.3.1 installed (or its requirements, with "
            "--checkout), such as ELLIOT_PYTHON=~/elliot/venv/bin/python"
        )
    program = shutil.which(os.path.expanduser(name))
    if program is None:
        raise UserError(f"ELLIOT_PYTHON={name}: no such program")
    return os.path.abspath(program)  # started in another folder; a virtual environment's link is not resolved


def find_configurations(folder: Path, program: str, names: list[str]) -> list[Path]:
    """Return the files to run: those of these names, or all of `elliot` or of `ducho` where no names are given.

    Raises:
        UserError: There is no such configuration.
    """
    files = sorted((folder / "config_files").glob("*.yml"), key=lambda path: path.stem)
    if not names:
        return [path for path in files if _is_for(path, program)]
    missing = [name for name in names if name not in {path.stem for path in files}]
    if missing:
        raise UserError(
            f"{folder / 'config_files'}: no {', '.join(missing)}; there are: {', '.join(path.stem for path in files)}"
        )
    return [path for path in files if path.stem in names]


def run(
    path: Path, program: str = "elliot", names: list[str] | None = None, checkout: Path | None = None
) -> list[Path]:
    """Run the configurations one after the other, replace their earlier results, and return the logs.

    Args:
        path: An exported folder, or a path in it.
        program: Whose configurations run where no names are given: `elliot` or `ducho`.
        names: The configurations to run, such as `elliot-sbert`.
        checkout: A folder with Elliot's source, or Ducho-meets-Elliot's, where it is not installed.

    Raises:
        UserError: The Python has no Elliot, the checkout lacks the models of Ducho-meets-Elliot, or a configuration
            failed; the message ends with the last lines that it printed.
    """
    folder, python = find_exported_folder(path), find_interpreter()
    source = (checkout or folder).resolve()
    if not source.is_dir():
        raise UserError(f"{source}: no such folder")
    files = find_configurations(folder, program, names or [])
    if any(_is_for(file, "ducho") for file in files):
        _link_external_models(folder, source)
    _call([python, "-c", "import elliot.run"], source, folder / "logs" / "import.log", f"{python} has no Elliot")
    datasets = list(read_about(folder)["features"])
    logs = []
    for file in files:
        dataset = "-".join([datasets[0], *file.stem.split("-")[1:]])
        shutil.rmtree(folder / "results" / dataset, ignore_errors=True)
        logs.append(folder / "logs" / f"{file.stem}.log")
        _call([python, "-c", PROGRAM, str(file)], source, logs[-1], f"{file}: Elliot failed")
    return logs


def _is_for(path: Path, program: str) -> bool:
    return path.stem.split("-")[0] == program


def _link_external_models(folder: Path, checkout: Path) -> None:
    """Link Ducho-meets-Elliot's own models to where its configurations look for them: a folder beside their own."""
    external, link = checkout / "external", folder / "external"
    if not (external / "models" / "__init__.py").is_file():
        raise UserError(f"{checkout}: no external/models; name the folder of Ducho-meets-Elliot with --checkout")
    if link.is_symlink() or not link.exists():  # a folder of the user's own stays
        link.unlink(missing_ok=True)
        link.symlink_to(external, target_is_directory=True)


def _call(command: list[str], folder: Path, log: Path, problem: str) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as file:
        ended = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
    if ended.returncode:
        last = log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
        raise UserError(
            f"{problem} (status {ended.returncode}, log {log}):\n" + "\n".join(f"  {line}" for line in last)
        )
