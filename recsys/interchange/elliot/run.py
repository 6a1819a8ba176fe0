"""Running exported configurations with a Python that has Elliot installed: ELLIOT_PYTHON names it."""

import shutil
from pathlib import Path

from pipeline.core.errors import UserError
from recsys.interchange.elliot.about import find_exported_folder, read_about
from recsys.interchange.processes import call, find_configurations, find_interpreter

PROGRAM = "import sys; from elliot.run import run_experiment; run_experiment(sys.argv[1])"
PROGRAMS = ("elliot", "ducho")
ADVICE = (
    "name the Python that has Elliot 0.3.1 installed (or its requirements, with --checkout), such as "
    "ELLIOT_PYTHON=~/elliot/venv/bin/python"
)


def choose_configurations(folder: Path, program: str, names: list[str]) -> list[Path]:
    """Return the files to run: those of these names, or all of `elliot` or of `ducho` where no names are given.

    Raises:
        UserError: There is no such configuration.
    """
    files = find_configurations(folder, names)
    return files if names else [path for path in files if _is_for(path, program)]


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
    folder, python = find_exported_folder(path), find_interpreter("ELLIOT_PYTHON", ADVICE)
    source = (checkout or folder).resolve()
    if not source.is_dir():
        raise UserError(f"{source}: no such folder")
    files = choose_configurations(folder, program, names or [])
    if any(_is_for(file, "ducho") for file in files):
        _link_external_models(folder, source)
    call([python, "-c", "import elliot.run"], source, folder / "logs" / "import.log", f"{python} has no Elliot")
    datasets = list(read_about(folder)["features"])
    logs = []
    for file in files:
        dataset = "-".join([datasets[0], *file.stem.split("-")[1:]])
        shutil.rmtree(folder / "results" / dataset, ignore_errors=True)
        logs.append(folder / "logs" / f"{file.stem}.log")
        call([python, "-c", PROGRAM, str(file)], source, logs[-1], f"{file}: Elliot failed")
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
