"""The `lookbook.json` of a folder exported for Elliot: what was exported, and the study's own figures."""

from pathlib import Path

from recsys.interchange import folder as exported
from recsys.interchange.folder import read_json

PROGRAM = "elliot"


class About(exported.About):
    """The contents of the file.

    Attributes:
        features: Elliot's `dataset` → its feature set, null for recommenders without features.
    """

    features: dict[str, str | None]


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
