"""The lists that Elliot wrote, scored with our metrics, beside the figures that Elliot printed for them.

With features Elliot leaves out the test rows of items that have none (all that are not in train), so these lists are scored
without those rows too; what the study's own figures count them as is in `lookbook.json`.
"""

import csv
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.errors import UserError
from recsys.interchange.elliot.configuration import METRICS, OURS
from recsys.interchange.evaluate import evaluate
from recsys.interchange.reading import Pairs, read_lists, read_purchases
from recsys.scoring.arms import build_name

ABOUT = "lookbook.json"
EPOCH = re.compile(r"_it=\d+$")  # models trained in epochs: <name>_it=16.tsv


@dataclass(frozen=True)
class Result:
    """One file of lists."""

    dataset: str
    recommender: str  # ours: vbpr-sbert for VBPR in the dataset of the features sbert
    path: Path
    ours: dict[str, float | int]  # our metrics of Elliot's lists, and counts
    elliot: dict[str, float]  # what Elliot printed, by our names; empty where it has not
    study: dict[str, float]  # the study's figures of its own recommender; empty where it has none

    def greatest_difference(self) -> float | None:
        """Of a figure of Elliot and ours of the same lists."""
        return max((abs(value - self.ours[name]) for name, value in self.elliot.items()), default=None)


def results(path: Path) -> list[Result]:
    """Of a file of lists, or of every file in the results of an exported folder.

    Raises:
        UserError: the path is in no exported folder, or Elliot has written nothing there.
    """
    folder = exported_folder(path)
    about = read_about(folder)
    files = [path] if path.is_file() else sorted(_lists_in(folder, about))
    if not files:
        raise UserError(
            f"{folder / 'results'}: Elliot has written no lists there; run the configurations of {folder / 'config_files'}, "
            "or `lookbook elliot run`"
        )
    train, test = (read_purchases(folder / "data" / f"{name}.tsv") for name in ("train", "test"))
    return [_result(file, folder, about, train, test) for file in files]


def exported_folder(path: Path) -> Path:
    """The folder that `export` wrote and that holds the path.

    Raises:
        UserError: there is none.
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


def read_about(folder: Path) -> dict[str, Any]:
    return json.loads((folder / ABOUT).read_text(encoding="utf-8"))


def with_own_ids(file: Path, out: Path) -> None:
    """A file of lists with the study's ids in the place of numbers: user, item, score; ids without quotes around them."""
    folder = exported_folder(file)
    names = [
        pd.read_csv(
            folder / "data" / f"{kind}.tsv", sep="\t", header=None, dtype=str, index_col=0, keep_default_na=False
        )[1].to_dict()
        for kind in ("users", "items")
    ]
    lists = pd.read_csv(file, sep="\t", header=None, dtype=str)
    for column, known in enumerate(names):
        lists[column] = lists[column].map(known)
    out.parent.mkdir(parents=True, exist_ok=True)
    lists.to_csv(out, sep="\t", header=False, index=False, quoting=csv.QUOTE_NONE)


def labels(found: list[Result]) -> list[str]:
    """The recommender of each, and its file where several are of one: Elliot makes a file for each point of a grid."""
    times = Counter(result.recommender for result in found)
    return [
        result.recommender if times[result.recommender] == 1 else f"{result.recommender} ({result.path.stem})"
        for result in found
    ]


def table(found: list[Result], about: dict[str, Any]) -> str:
    """NDCG and MAP: Elliot's figure, ours of the same lists, the study's own recommender."""
    called, cutoffs = labels(found), about["cutoffs"]
    width = max(20, *map(len, called)) + 2
    lines = [
        f"{'recommender':<{width}}{'metric':<10}{'Elliot':>10}{'its lists':>11}{'Lookbook':>10}",
        f"{'':<{width + 20}}{'by us':>11}",
    ]
    shown = [(f"{name}@{k}", f"{METRICS[name]}_{k}") for name in ("nDCG", "MAP") for k in cutoffs]
    for label, result in zip(called, found, strict=True):
        for metric, name in shown:
            figures = (result.elliot.get(name), result.ours.get(name), result.study.get(name))
            printed = [f"{'–' if figure is None else f'{figure:.5f}'}" for figure in figures]
            lines.append(f"{label:<{width}}{metric:<10}{printed[0]:>10}{printed[1]:>11}{printed[2]:>10}")
    differences = [gap for gap in (result.greatest_difference() for result in found) if gap is not None]
    if differences:
        lines.append(f"greatest difference between Elliot's figures and ours of the same lists: {max(differences):.1e}")
    return "\n".join([*lines, *about.get("unlike", [])])


def as_json(found: list[Result]) -> dict[str, Any]:
    """`labels` → Elliot's figures, ours of its lists, the study's."""
    return {
        name: {
            "lists": result.path.name,
            "elliot": result.elliot,
            "elliot_lists": result.ours,
            "lookbook": result.study,
        }
        for name, result in zip(labels(found), found, strict=True)
    }


def _lists_in(folder: Path, about: dict[str, Any]) -> Iterator[Path]:
    for dataset in about["features"]:
        yield from (folder / "results" / dataset / "recs").glob("*.tsv")


def _result(file: Path, folder: Path, about: dict[str, Any], train: Pairs, test: Pairs) -> Result:
    dataset = file.resolve().parent.parent.name
    features = about["features"].get(dataset)
    model = file.stem.split("_")[0]
    recommender = build_name(OURS.get(model, model), features)
    cutoffs = about["cutoffs"]
    seen = test if features is None else test.where(test.item.places_in(train.item.names)[test.item.codes] >= 0)
    ours = evaluate(train, seen, read_lists(file), cutoffs).summary()
    printed = _printed(folder / "results" / dataset / "performance", EPOCH.sub("", file.stem), cutoffs)
    return Result(dataset, recommender, file, ours, printed, about["study"].get(recommender, {}))


def _printed(folder: Path, model: str, cutoffs: list[int]) -> dict[str, float]:
    """Elliot's figures of a model from the newest of its tables, by our names."""
    figures: dict[str, float] = {}
    for k in cutoffs:
        newest = sorted(folder.glob(f"rec_cutoff_{k}_relthreshold_*.tsv"))[-1:]
        for path in newest:  # the names end with the time
            rows = pd.read_csv(path, sep="\t")
            for row in rows[rows["model"] == model].to_dict("records"):
                figures |= {f"{ours}_{k}": float(row[name]) for name, ours in METRICS.items() if name in row}
    return {name: value for name, value in figures.items() if np.isfinite(value)}
