"""What a report was made from: parameters, versions, and the hash of every result that dvc.lock names."""

import io
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML, YAMLError

from lookbook.reporting.cells import Cell, Line
from lookbook.reporting.costs import CellCosts
from lookbook.reporting.formatting import Values
from pipeline.core.record import TIMED

LOCK = Path("dvc.lock")
PACKAGES = ("lookbook", "torch", "transformers", "peft", "stanza", "numpy", "pandas", "scipy", "scikit-learn", "dvc")
RESULTS = ("data/", "metrics/")
OF_THE_MACHINE = ("machine", "device")
HEX = 12  # digits of a hash that are shown


def read_provenance(line: Line, costs: Sequence[CellCosts]) -> Values:
    """Return of a study `params` (text), `versions`, `machines`, and `hashes`: path -> the first digits of its MD5."""
    versions = {"Python": platform.python_version()} | {name: _find(name) for name in PACKAGES}
    return {
        "params": write_params(line.params),
        "versions": {name: found for name, found in versions.items() if found},
        "machines": count_machines(costs),
        "hashes": read_hashes(LOCK, line.cells),
    }


def count_machines(costs: Sequence[CellCosts]) -> dict[str, int]:
    """Count the cells that each machine ran, most first; a machine is described by what its cells recorded."""
    machines = Counter(
        f"{cell.costs['processor']}, {cell.costs['cpus']} cores, {cell.costs['memory_bytes'] / 2**30:.0f} GiB"
        + (", GPU" if cell.costs["device"] == "cuda" else "")
        for cell in costs
        if cell.costs
    )
    return dict(machines.most_common())


def write_params(params: Mapping[str, Any]) -> str:
    """Write the parameters as YAML, without those that change no result; empty where there are none."""
    values = {key: value for key, value in params.items() if key not in OF_THE_MACHINE}
    if not values:
        return ""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    buffer = io.StringIO()
    yaml.dump(values, buffer)
    return buffer.getvalue()


def _find(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def read_hashes(lock: Path, cells: Sequence[Cell]) -> dict[str, str]:
    """Read the hash of every result in dvc.lock that a report is made from; empty where there is no such file.

    Times are none of them, and a report's own hash would change the report. A cell that left the line may still stand
    in dvc.lock; it is left out.

    >>> read_hashes(Path("no such file"), [])
    {}
    """
    if not lock.exists() or not cells:
        return {}
    try:
        stages: Any = (YAML(typ="safe").load(lock) or {}).get("stages", {})  # in C: the file has thousands of lines
    except YAMLError:
        return {}
    names = {cell.name for cell in cells}
    outs = sorted(
        (out for name, stage in stages.items() if name in names for out in stage.get("outs", [])),
        key=lambda out: out["path"],
    )
    return {
        out["path"]: out["md5"][:HEX]
        for out in outs
        if "md5" in out and out["path"].startswith(RESULTS) and not set(TIMED) & set(Path(out["path"]).parents)
    }
