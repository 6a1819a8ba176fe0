"""A folder that was exported for another program: its `lookbook.json`, its ids, and names for files of its lists."""

import csv
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import pandas as pd

from pipeline.core.errors import UserError

ABOUT = "lookbook.json"


class About(TypedDict):
    """What the file says of every export.

    Attributes:
        program: The program it is for: `elliot` or `warprec`.
        catalogue: The catalogue that was exported.
        arm: The catalogue or the text of the features.
        cutoffs: Those of the section `rec_score`.
        users: The number of users of train.
        items: The number of items of train.
        train: The number of distinct pairs of train.
        test: The number of distinct pairs of test.
        test_rows_of_items_not_in_train: How many pairs of test have an item that train lacks.
        unlike: Sentences about recommenders that the program does not have.
        study: Recommender → metric → the study's own figure.
    """

    program: str
    catalogue: str
    arm: str
    cutoffs: list[int]
    users: int
    items: int
    train: int
    test: int
    test_rows_of_items_not_in_train: int
    unlike: list[str]
    study: dict[str, dict[str, float]]


def read_json(folder: Path) -> Any:
    """Read the file of an exported folder."""
    return json.loads((folder / ABOUT).read_text(encoding="utf-8"))


def find_exported_folder(path: Path, program: str) -> Path:
    """Return the folder that was exported for the program and holds the path.

    Raises:
        UserError: There is none.
    """
    if not path.exists():
        raise UserError(f"{path}: no such file or folder")
    for folder in [path.resolve(), *path.resolve().parents]:
        if (folder / ABOUT).is_file() and read_json(folder).get("program", "elliot") == program:
            return folder
    raise UserError(
        f"{path}: is in no folder that `lookbook {program} export` wrote; score other lists with "
        f"`lookbook evaluate --train … --test … --recs {path}`"
    )


def write_with_study_ids(lists: pd.DataFrame, folder: Path, out: Path) -> None:
    """Write lists with the study's ids instead of numbers: user, item, score; no quotes around ids.

    Args:
        lists: Columns 0 (user), 1 (item) and others, as text.
        folder: The exported folder.
        out: The file to write.
    """
    lists = lists.copy()
    for column, kind in enumerate(("users", "items")):
        table = folder / "data" / f"{kind}.tsv"
        ids = pd.read_csv(table, sep="\t", header=None, dtype=str, index_col=0, keep_default_na=False)[1].to_dict()
        lists[column] = lists[column].map(ids)
    out.parent.mkdir(parents=True, exist_ok=True)
    lists.to_csv(out, sep="\t", header=False, index=False, quoting=csv.QUOTE_NONE)


def label_files(files: Sequence[tuple[str, Path]]) -> list[str]:
    """Return the recommender of each file of lists, with the file's name where a recommender has several."""
    times = Counter(recommender for recommender, _ in files)
    return [name if times[name] == 1 else f"{name} ({path.stem})" for name, path in files]
