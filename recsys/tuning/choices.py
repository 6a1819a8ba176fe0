"""The settings that `recsys.tune` chose, and the settings of a fit with them."""

from pathlib import Path
from typing import Any, TypeVar

from pipeline.core.outputs import read_json
from pipeline.core.params import Section

FOLDER = Path("metrics/tune")
CHOICE = "choice"  # the key of the settings in a file
OwnSettings = TypeVar("OwnSettings", bound=Section)


def choice_path(folder: Path, experiment: str, name: str) -> Path:
    """Return the file of a recommender's choice.

    >>> choice_path(Path("metrics/tune"), "warm", "vbpr-sbert").as_posix()
    'metrics/tune/warm/vbpr-sbert.json'
    """
    return folder / experiment / f"{name}.json"


def read_choice(path: Path) -> dict[str, Any]:
    """Read the chosen settings of a file.

    Raises:
        UserError: there is no such file.
    """
    return dict(read_json(path)[CHOICE])


def choose(settings: OwnSettings, choice: dict[str, Any]) -> OwnSettings:
    """Return settings in which the chosen values overrule those of `rec_fit`."""
    return type(settings).model_validate(settings.model_dump() | choice)
