"""The lists that Elliot wrote, scored with our metrics, beside the figures that Elliot printed for them.

With features Elliot leaves out the test rows of items that have none (all that are not in train), so these lists are
scored without those rows too. The study's own figures keep them: `lookbook.json` counts such rows.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.core.errors import UserError
from recsys.interchange.elliot.about import About, find_exported_folder, read_about
from recsys.interchange.elliot.configuration import METRICS, OURS
from recsys.interchange.evaluate import TestItems, evaluate
from recsys.interchange.folder import label_files, write_with_study_ids
from recsys.interchange.reading import Pairs, read_lists, read_purchases
from recsys.scoring.arms import build_name

EPOCH = re.compile(r"_it=\d+$")  # models trained in epochs: <name>_it=16.tsv


@dataclass(frozen=True)
class Result:
    """The figures of one file of Elliot's lists.

    Attributes:
        dataset: Elliot's name for the data with one feature set.
        recommender: Our name: `vbpr-sbert` for VBPR in the dataset of the features sbert.
        path: The file.
        ours: Our metrics of Elliot's lists, and counts.
        elliot: The figures that Elliot printed, by our names; empty where there are none.
        study: The study's figures of its own recommender; empty where it has none.
    """

    dataset: str
    recommender: str
    path: Path
    ours: dict[str, float | int]
    elliot: dict[str, float]
    study: dict[str, float]

    def greatest_difference(self) -> float | None:
        """Return the greatest difference between a figure of Elliot and ours of the same lists."""
        return max((abs(value - self.ours[name]) for name, value in self.elliot.items()), default=None)


def score_results(path: Path) -> list[Result]:
    """Score a file of lists, or every file in the results of an exported folder.

    Raises:
        UserError: The path is in no exported folder, or Elliot has written nothing there.
    """
    folder = find_exported_folder(path)
    about = read_about(folder)
    files = [path] if path.is_file() else sorted(_find_lists(folder, about))
    if not files:
        raise UserError(
            f"{folder / 'results'}: Elliot has written no lists there; run the configurations of "
            f"{folder / 'config_files'}, or `lookbook elliot run`"
        )
    train, test = (read_purchases(folder / "data" / f"{name}.tsv") for name in ("train", "test"))
    return [_score_file(file, folder, about, train, test) for file in files]


def write_lists(file: Path, out: Path) -> None:
    """Write a file of lists with the study's ids instead of numbers."""
    lists = pd.read_csv(file, sep="\t", header=None, dtype=str)
    write_with_study_ids(lists, find_exported_folder(file), out)


def label_results(results: list[Result]) -> list[str]:
    """Return the recommender of each, with the file's name where a recommender has several: the points of a grid."""
    return label_files([(result.recommender, result.path) for result in results])


def format_table(results: list[Result], about: About) -> str:
    """Return a table of NDCG and MAP: Elliot's figure, ours of the same lists, and that of the study's recommender."""
    labels, cutoffs = label_results(results), about["cutoffs"]
    width = max(20, *map(len, labels)) + 2
    lines = [
        f"{'recommender':<{width}}{'metric':<10}{'Elliot':>10}{'its lists':>11}{'Lookbook':>10}",
        f"{'':<{width + 20}}{'by us':>11}",
    ]
    shown = [(f"{name}@{k}", f"{METRICS[name]}_{k}") for name in ("nDCG", "MAP") for k in cutoffs]
    for label, result in zip(labels, results, strict=True):
        for metric, name in shown:
            figures = (result.elliot.get(name), result.ours.get(name), result.study.get(name))
            printed = [f"{'–' if figure is None else f'{figure:.5f}'}" for figure in figures]
            lines.append(f"{label:<{width}}{metric:<10}{printed[0]:>10}{printed[1]:>11}{printed[2]:>10}")
    differences = [gap for gap in (result.greatest_difference() for result in results) if gap is not None]
    if differences:
        lines.append(f"greatest difference between Elliot's figures and ours of the same lists: {max(differences):.1e}")
    return "\n".join([*lines, *about.get("unlike", [])])


def to_json(results: list[Result]) -> dict[str, dict[str, Any]]:
    """Return label → Elliot's figures, ours of its lists, and the study's."""
    return {
        name: {
            "lists": result.path.name,
            "elliot": result.elliot,
            "elliot_lists": result.ours,
            "lookbook": result.study,
        }
        for name, result in zip(label_results(results), results, strict=True)
    }


def _find_lists(folder: Path, about: About) -> Iterator[Path]:
    for dataset in about["features"]:
        yield from (folder / "results" / dataset / "recs").glob("*.tsv")


def _score_file(file: Path, folder: Path, about: About, train: Pairs, test: Pairs) -> Result:
    dataset = file.resolve().parent.parent.name
    features = about["features"].get(dataset)
    model = file.stem.split("_")[0]
    recommender = build_name(OURS.get(model, model), features)
    cutoffs = about["cutoffs"]
    test_items: TestItems = "all" if features is None else "train"
    ours = evaluate(train, test, read_lists(file), cutoffs, test_items=test_items).summary()
    printed = _read_printed(folder / "results" / dataset / "performance", EPOCH.sub("", file.stem), cutoffs)
    return Result(dataset, recommender, file, ours, printed, about["study"].get(recommender, {}))


def _read_printed(folder: Path, model: str, cutoffs: list[int]) -> dict[str, float]:
    """Elliot's figures of a model, from the newest of its tables, by our names."""
    figures: dict[str, float] = {}
    for k in cutoffs:
        newest = sorted(folder.glob(f"rec_cutoff_{k}_relthreshold_*.tsv"))[-1:]
        for path in newest:  # the names end with the time
            rows = pd.read_csv(path, sep="\t")
            for row in rows[rows["model"] == model].to_dict("records"):
                figures |= {f"{ours}_{k}": float(row[name]) for name, ours in METRICS.items() if name in row}
    return {name: value for name, value in figures.items() if np.isfinite(value)}
