"""The cells of the stages of dvc.yaml, as DVC makes them of `foreach` and `matrix` and of params.yaml."""

import itertools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from pipeline.core.params import load


class Cell(NamedTuple):
    """A cell of the line: its name as DVC writes it, its stage, what `${item}` stands for, and its outputs."""

    name: str
    stage: str
    item: Any
    outputs: list[str]


class Line(NamedTuple):
    """The line of a study: the cells of dvc.yaml in its order, and the parameters that make them."""

    cells: list[Cell]
    params: dict[str, Any]


def read_line(line: Path, params: Path) -> Line:
    """Read dvc.yaml and params.yaml; empty where there is no such file.

    >>> read_line(Path("no such file"), Path("no params.yaml"))
    Line(cells=[], params={})
    """
    values = load(params) if params.exists() else {}
    stages = YAML(typ="safe").load(line).get("stages", {}) if line.exists() else {}  # in C: the file is long
    return Line(list(_list_all(stages, values)), values)


def _list_all(stages: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[Cell]:
    for name, stage in stages.items():
        for cell in list_cells(stage, values):
            full = f"{name}@{cell['key']}" if cell else name
            yield Cell(full, name, cell.get("item"), list_outputs(stage, cell, values))


def list_cells(stage: Mapping[str, Any], params: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what `${key}` and `${item}` stand for in each cell of a stage; one without both where it has no axes.

    Args:
        stage: Of dvc.yaml.
        params: Of params.yaml.

    >>> list_cells({"matrix": {"text": "${texts}", "recommender": ["bpr"]}}, {"texts": ["all"]})
    [{'key': 'all-bpr', 'item': {'text': 'all', 'recommender': 'bpr'}}]
    """
    if "foreach" in stage:
        members = _resolve(stage["foreach"], params)
        keys = list(members) if isinstance(members, dict | list) else []
        return [{"key": key, "item": members[key] if isinstance(members, dict) else key} for key in keys]
    if "matrix" in stage:
        axes = {name: _resolve(axis, params) or [] for name, axis in stage["matrix"].items()}
        return [
            {"key": "-".join(map(str, values)), "item": dict(zip(axes, values, strict=True))}
            for values in itertools.product(*axes.values())
        ]
    return [{}]


def list_outputs(stage: Mapping[str, Any], cell: Mapping[str, Any], params: Mapping[str, Any]) -> list[str]:
    """Return the paths that a cell of a stage writes: outputs, metrics and plots."""
    body = stage.get("do", stage)
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in body.get(kind, [])]
    return [fill(next(iter(entry)) if isinstance(entry, dict) else entry, cell, params) for entry in entries]


def fill(path: str, cell: Mapping[str, Any], params: Mapping[str, Any]) -> str:
    """Return a path of dvc.yaml with the values of a cell and of the parameters in the place of their names."""
    values = {**params, **cell}
    return re.sub(r"\$\{([^}]+)\}", lambda match: str(_look_up(match[1], values)), path)


def _resolve(value: Any, params: Mapping[str, Any]) -> Any:
    match = re.fullmatch(r"\$\{([^}]+)\}", value) if isinstance(value, str) else None
    return _look_up(match[1], params) if match else value


def _look_up(name: str, values: Mapping[str, Any]) -> Any:
    found: Any = values
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
