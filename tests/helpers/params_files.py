"""Files of parameters for tests: the sample's, read once, written as JSON, which is YAML too and quick to write."""

import copy
import functools
import json
from pathlib import Path
from typing import Any

from pipeline.core.params import REFERENCE, load

_read_reference = functools.cache(lambda: load(REFERENCE))


def read_sample() -> dict[str, Any]:
    """Return the parameters of studies/sample.yaml, to be changed."""
    return copy.deepcopy(_read_reference())


def write_values(values: dict[str, Any], path: Path | str) -> None:
    """Write parameters."""
    Path(path).write_text(json.dumps(values, indent=0), encoding="utf-8")
