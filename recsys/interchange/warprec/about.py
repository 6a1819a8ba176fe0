"""The `lookbook.json` of a folder exported for WarpRec: what was exported, and the study's own figures."""

from pathlib import Path
from typing import TypedDict

from recsys.interchange import folder as exported
from recsys.interchange.folder import read_json

PROGRAM = "warprec"


class Configuration(TypedDict):
    """What one configuration runs.

    Attributes:
        pipeline: WarpRec's pipeline: `eval` (also fits what has a closed form) or `train` (starts Ray).
        features: The feature set of its models, or null.
        lists: The recommender whose lists, made here, WarpRec evaluates, or null.
        epochs: WarpRec's name of each model that is trained in epochs → how many.
    """

    pipeline: str
    features: str | None
    lists: str | None
    epochs: dict[str, int]


class About(exported.About):
    """The contents of the file.

    Attributes:
        configurations: Name of the file in `config_files/`, and of the folder in `results/` → what it runs.
    """

    configurations: dict[str, Configuration]


def read_about(folder: Path) -> About:
    """Read the file of an exported folder."""
    about: About = read_json(folder)
    return about


def find_exported_folder(path: Path) -> Path:
    """Return the exported folder that holds the path.

    Raises:
        UserError: There is none.
    """
    return exported.find_exported_folder(path, PROGRAM)
