"""The `lookbook.json` of an exported folder: what was exported, and the study's own figures."""

import json
from pathlib import Path
from typing import TypedDict

from pipeline.core.errors import UserError

ABOUT = "lookbook.json"


class About(TypedDict):
    """The contents of the file.

    Attributes:
        catalogue: The catalogue that was exported.
        arm: The catalogue or the text of the features.
        cutoffs: Those of the section `rec_score`.
        users: The number of users of train.
        items: The number of items of train.
        train: The number of distinct pairs of train.
        test: The number of distinct pairs of test.
        test_rows_of_items_not_in_train: How many pairs of test have an item that train lacks.
        features: Elliot's `dataset` → its feature set, null for recommenders without features.
        unlike: Sentences about recommenders that Elliot does not have.
        study: Recommender → metric → the study's own figure.
    """

    catalogue: str
    arm: str
    cutoffs: list[int]
    users: int
    items: int
    train: int
    test: int
    test_rows_of_items_not_in_train: int
    features: dict[str, str | None]
    unlike: list[str]
    study: dict[str, dict[str, float]]


def read_about(folder: Path) -> About:
    """Read the file of an exported folder."""
    return json.loads((folder / ABOUT).read_text(encoding="utf-8"))


def find_exported_folder(path: Path) -> Path:
    """Return the exported folder that holds the path.

    Raises:
        UserError: There is none.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    for folder in [path.resolve(), *path.resolve().parents]:
        if (folder / ABOUT).is_file():
            return folder
    raise UserError(
        f"{path}: is in no folder that `lookbook elliot export` wrote; score other lists with "
        f"`lookbook evaluate --train … --test … --recs {path}`"
    )
