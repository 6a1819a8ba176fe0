"""The code that a stage of dvc.yaml depends on."""

from pathlib import Path

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
PLACEHOLDERS = ("${item.family}", "${caption_features.family}")


def code_deps(stage: str, family: str) -> set[str]:
    """Lists the files and folders of code under `deps` of a stage, for a captioner family."""
    body = YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"][stage]
    deps = [dep for dep in body.get("do", body)["deps"] if not dep.startswith("data/")]
    for placeholder in PLACEHOLDERS:
        deps = [dep.replace(placeholder, family) for dep in deps]
    return set(deps)
