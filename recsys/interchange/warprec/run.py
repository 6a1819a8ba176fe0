"""Running exported configurations with a Python that has WarpRec installed: WARPREC_PYTHON names it."""

import os
import shutil
from pathlib import Path

from recsys.interchange.processes import call, find_configurations, find_interpreter
from recsys.interchange.warprec.about import find_exported_folder, read_about

PROGRAM = "import sys; from warprec.run import main; main(sys.argv[1:])"
ADVICE = (
    'name a Python >= 3.12 that has WarpRec installed (`pip install "warprec[graph]==2.2.8"` in an environment of its '
    "own), such as WARPREC_PYTHON=~/warprec/venv/bin/python"
)
SETTINGS = {"RAY_memory_monitor_refresh_ms": "0", "RAY_USAGE_STATS_ENABLED": "0", "PYTHONNOUSERSITE": "1"}
OWN = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")  # of this environment


def run(path: Path, names: list[str] | None = None) -> list[Path]:
    """Run the configurations one after the other, replace their earlier results, and return the logs.

    Args:
        path: An exported folder, or a path in it.
        names: The configurations to run, such as `plain` or `features-sbert`; None: all.

    Raises:
        UserError: The Python has no WarpRec, or a configuration failed; the message ends with the last lines that it
            printed.
    """
    folder, python = find_exported_folder(path), find_interpreter("WARPREC_PYTHON", ADVICE)
    files = find_configurations(folder, names or [])
    environment = {name: value for name, value in os.environ.items() if name not in OWN} | SETTINGS
    start = [python, "-P", "-c"]  # -P: no module of the folder in the place of another
    call(
        [python, "-c", "import warprec.run"],
        folder,
        folder / "logs" / "import.log",
        f"{python} has no WarpRec",
        environment,
    )
    configurations, logs = read_about(folder)["configurations"], []
    for file in files:
        shutil.rmtree(folder / "results" / file.stem, ignore_errors=True)
        logs.append(folder / "logs" / f"{file.stem}.log")
        options = ["-c", str(file.relative_to(folder)), "-p", configurations[file.stem]["pipeline"]]
        call([*start, PROGRAM, *options], folder, logs[-1], f"{file}: WarpRec failed", environment)
    return logs
