"""Writing the YAML of other programs, which read it with PyYAML: it takes `1e-05` for text, so floats have a point."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from pipeline.core.outputs import new_file


def write_configuration(path: Path, values: dict[str, Any]) -> None:
    """Write a configuration as YAML that PyYAML reads with the same values."""
    yaml = YAML(typ="safe", pure=True)
    vars(yaml).update(default_flow_style=False, sort_base_mapping_type_on_output=False)
    yaml.representer.add_representer(float, _represent_float)
    with new_file(path) as partial, open(partial, "w", encoding="utf-8") as file:
        yaml.dump(values, file)


def _represent_float(representer: SafeRepresenter, value: float) -> ScalarNode:
    text = repr(value)
    if "e" in text and "." not in text:
        text = text.replace("e", ".0e")
    return representer.represent_scalar("tag:yaml.org,2002:float", text)
