"""Files of parameters for tests: the sample's, read once, and written by the quick C program of ruamel.yaml."""

import copy
import functools
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from pipeline.core.params import REFERENCE, load

_read_reference = functools.cache(lambda: load(REFERENCE))


def read_sample() -> dict[str, Any]:
    """Return the parameters of studies/sample.yaml, to be changed."""
    return copy.deepcopy(_read_reference())


def write_values(values: dict[str, Any], path: Path | str) -> None:
    """Write parameters, a line each, in their order."""
    yaml = YAML(typ="safe")
    yaml.default_flow_style, yaml.sort_base_mapping_type_on_output = False, False
    with open(path, "w", encoding="utf-8") as file:
        yaml.dump(values, file)
