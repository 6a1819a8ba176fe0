"""What a report was made from: parameters, versions, and the hash of every result that dvc.lock names."""

import io
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from lookbook.reporting.cells import read_cells
from lookbook.reporting.files import LINE
from lookbook.reporting.formatting import Values
from pipeline.core.params import PARAMS
from pipeline.core.record import TIMED

LOCK = Path("dvc.lock")
PACKAGES = ("lookbook", "torch", "transformers", "peft", "stanza", "numpy", "pandas", "scipy", "scikit-learn", "dvc")
RESULTS = ("data/", "metrics/")
OF_THE_MACHINE = ("machine", "device")
HEX = 12  # digits of a hash that are shown


def read_provenance() -> Values:
    """Return `params` (text), `versions`, and `hashes`: path -> the first digits of its MD5."""
    versions = {"Python": platform.python_version()} | {name: _find(name) for name in PACKAGES}
    return {
        "params": read_params(PARAMS),
        "versions": {name: found for name, found in versions.items() if found},
        "hashes": read_hashes(LOCK, LINE, PARAMS),
    }


def read_params(path: Path) -> str:
    """Return the parameters without comments, and without those that change no result."""
    if not path.exists():
        return ""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    values = {key: value for key, value in (yaml.load(path) or {}).items() if key not in OF_THE_MACHINE}
    buffer = io.StringIO()
    yaml.dump(values, buffer)
    return buffer.getvalue()


def _find(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def read_hashes(lock: Path, line: Path, params: Path) -> dict[str, str]:
    """Read the hash of every result in dvc.lock that a report is made from; empty where there is no such file.

    Times are none of them, and a report's own hash would change the report. A cell that left the line may still stand
    in dvc.lock; it is left out.

    >>> read_hashes(Path("no such file"), Path("dvc.yaml"), Path("params.yaml"))
    {}
    """
    if not lock.exists() or not line.exists():
        return {}
    try:
        stages: Any = (YAML(typ="safe").load(lock) or {}).get("stages", {})  # in C: the file has thousands of lines
    except YAMLError:
        return {}
    cells = {cell.name for cell in read_cells(line, params)}
    outs = sorted(
        (out for name, stage in stages.items() if name in cells for out in stage.get("outs", [])),
        key=lambda out: out["path"],
    )
    return {
        out["path"]: out["md5"][:HEX]
        for out in outs
        if "md5" in out and out["path"].startswith(RESULTS) and not set(TIMED) & set(Path(out["path"]).parents)
    }
