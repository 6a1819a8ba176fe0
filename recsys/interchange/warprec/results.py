"""The lists that WarpRec wrote, scored with our metrics, beside the figures that WarpRec wrote for them.

WarpRec leaves out test pairs of items that are not in train, so its own figures stand beside ours of such pairs alone
(`train`). The study's figures count all pairs, as ours of `all` do.

WarpRec fills lists up with seen items at −inf: such rows are no recommendation and are dropped, and seen items are.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.core.errors import UserError
from recsys.interchange.evaluate import evaluate
from recsys.interchange.folder import label_files, write_with_study_ids
from recsys.interchange.reading import Pairs, read_lists, read_purchases
from recsys.interchange.warprec.about import About, find_exported_folder, read_about
from recsys.interchange.warprec.configuration import LISTS, METRICS, OURS
from recsys.scoring.arms import build_name

STAMP = re.compile(r"_(\d\d\.\d\d\.\d{4}_\d\d-\d\d-\d\d)$")  # day first: names do not sort by time
OWN_LISTS = "our "  # before the name of a recommender whose lists were made here
RANDOM = "random"  # its lists are drawn again when they are written


@dataclass(frozen=True)
class Result:
    """The figures of one file of WarpRec's lists.

    Attributes:
        recommender: Our name: `vbpr-sbert` for VBPR on the features sbert, `our itemknn` for lists that were made here.
        path: The file.
        train: Our metrics of the lists, and counts, over test pairs of items in train, as WarpRec counts.
        every: The same over all test pairs, as the study counts.
        warprec: The figures that WarpRec wrote, by our names; empty where there are none.
        study: The study's figures of its own recommender, the mean over its runs; empty where it has none.
        note: What makes the figures doubtful, or nothing.
    """

    recommender: str
    path: Path
    train: dict[str, float | int]
    every: dict[str, float | int]
    warprec: dict[str, float]
    study: dict[str, float]
    note: str

    def greatest_difference(self) -> float | None:
        """Return the greatest difference between a figure of WarpRec and ours of the same lists and test pairs."""
        if self.recommender == RANDOM:
            return None
        return max((abs(value - self.train[name]) for name, value in self.warprec.items()), default=None)


def score_results(path: Path) -> list[Result]:
    """Score a file of lists, or the newest of every model in the results of an exported folder.

    Raises:
        UserError: The path is in no exported folder, or WarpRec has written nothing there.
    """
    folder = find_exported_folder(path)
    about = read_about(folder)
    files = [path.resolve()] if path.is_file() else _find_newest_lists(folder, about)
    if not files:
        raise UserError(
            f"{folder / 'results'}: WarpRec has written no lists there; run the configurations of "
            f"{folder / 'config_files'} in {folder}, or `lookbook warprec run`"
        )
    train, test = (read_purchases(folder / "data" / f"{name}.tsv") for name in ("train", "test"))
    return [_score_file(file, about, train, test) for file in files]


def drop_unranked(train: Pairs, lists: Pairs) -> Pairs:
    """Return the lists without rows of score −inf and without pairs of train, both of which fill short lists up."""
    user = lists.user.index_in(train.user.names)[lists.user.codes].astype(np.int64)
    item = lists.item.index_in(train.item.names)[lists.item.codes]
    n_items = len(train.item.names)
    bought = train.user.codes.astype(np.int64) * n_items + train.item.codes
    is_seen = (user >= 0) & (item >= 0) & np.isin(user * n_items + item, bought)
    return lists.where(~is_seen & (lists.values["score"] > -np.inf))


def write_lists(result: Result, out: Path) -> None:
    """Write the lists with the study's ids instead of numbers, without what fills short ones up."""
    folder = find_exported_folder(result.path)
    lists = drop_unranked(read_purchases(folder / "data" / "train.tsv"), read_lists(result.path))
    columns = [ids.names.take(pa.array(ids.codes)).to_pylist() for ids in (lists.user, lists.item)]
    rows = pd.DataFrame({0: columns[0], 1: columns[1], 2: lists.values["score"]})
    write_with_study_ids(rows, folder, out)


def label_results(results: Sequence[Result]) -> list[str]:
    """Return the recommender of each, with the file's name where a recommender has several."""
    return label_files([(result.recommender, result.path) for result in results])


def format_table(results: Sequence[Result], about: About) -> str:
    """Return a table of NDCG and MAP: WarpRec's figure, ours of the same lists on both test sets, and the study's."""
    labels = label_results(results)
    width = max(20, *map(len, labels)) + 2
    lines = [
        f"{'recommender':<{width}}{'metric':<10}{'WarpRec':>10}{'its lists by us':>22}{'Lookbook':>10}",
        f"{'':<{width + 20}}{'train items':>12}{'all':>10}{'all':>10}",
    ]
    shown = [(f"{name}@{k}", f"{METRICS[name]}_{k}") for name in ("nDCG", "MAP") for k in about["cutoffs"]]
    for label, result in zip(labels, results, strict=True):
        for metric, name in shown:
            values = (result.warprec, result.train, result.every, result.study)
            printed = ["–" if name not in figures else f"{figures[name]:.5f}" for figures in values]
            row = f"{printed[0]:>10}{printed[1]:>12}{printed[2]:>10}{printed[3]:>10}"
            lines.append(f"{label:<{width}}{metric:<10}{row}")
    cold, test = about["test_rows_of_items_not_in_train"], about["test"]
    lines.append(
        f"train items: without {cold:,} of {test:,} test pairs, whose items are not in train, as WarpRec counts"
    )
    gaps = [gap for gap in (result.greatest_difference() for result in results) if gap is not None]
    if gaps:
        lines.append(
            f"greatest difference between WarpRec's figures and ours of the same lists and pairs: {max(gaps):.1e}"
        )
    if any(result.recommender.startswith(OWN_LISTS) for result in results):
        lines.append("our …: the lists of the study's first run; the column Lookbook has the mean over all its runs")
    if any(result.recommender == RANDOM for result in results):
        lines.append("WarpRec's Random draws other lists when it writes them than when it evaluates")
    return "\n".join([*lines, *(result.note for result in results if result.note), *about["unlike"]])


def to_json(results: Sequence[Result]) -> dict[str, dict[str, Any]]:
    """Return label → WarpRec's figures, ours of its lists on both test sets, and the study's."""
    return {
        name: {
            "lists": result.path.name,
            "warprec": result.warprec,
            "warprec_lists": {"train": result.train, "all": result.every},
            "lookbook": result.study,
        }
        for name, result in zip(label_results(results), results, strict=True)
    }


def _find_newest_lists(folder: Path, about: About) -> list[Path]:
    files = []
    for name in about["configurations"]:
        newest: dict[str, Path] = {}
        for path in sorted((folder / "results" / name / "recs").glob("*.tsv"), key=_read_time):
            newest[_read_model(path)] = path
        files += [newest[model] for model in sorted(newest)]
    return files


def _read_model(path: Path) -> str:
    return STAMP.sub("", path.stem)


def _read_time(path: Path) -> datetime:
    """The time in a file's name; the beginning of time where it has none."""
    stamp = STAMP.search(path.stem)
    return datetime.strptime(stamp[1], "%d.%m.%Y_%H-%M-%S") if stamp else datetime.min


def _score_file(file: Path, about: About, train: Pairs, test: Pairs) -> Result:
    folder, model = file.parent.parent, _read_model(file)
    configuration = about["configurations"].get(folder.name)
    features = configuration["features"] if configuration else None
    own = build_name(OURS.get(model, model), features)
    recommender = own
    if configuration and configuration["lists"] and model == LISTS:
        own = configuration["lists"]
        recommender = OWN_LISTS + own
    lists, cutoffs = drop_unranked(train, read_lists(file)), about["cutoffs"]
    warm = evaluate(train, test, lists, cutoffs, test_items="train").summary()
    every = evaluate(train, test, lists, cutoffs).summary()
    epochs = configuration["epochs"].get(model) if configuration else None
    note = _check_epochs(folder / "params", model, epochs)
    written = _read_written(folder / "evaluation", model, cutoffs)
    return Result(recommender, file, warm, every, written, about["study"].get(own, {}), note)


def _read_written(folder: Path, model: str, cutoffs: list[int]) -> dict[str, float]:
    """WarpRec's figures of a model, from the newest of its tables, by our names."""
    figures: dict[str, float] = {}
    for path in sorted(folder.glob("Overall_Results_*.tsv"), key=_read_time):
        rows = pd.read_csv(path, sep="\t")
        for row in rows[(rows["Model"] == model) & rows["Top@k"].isin(cutoffs)].to_dict("records"):
            figures |= {f"{ours}_{row['Top@k']}": float(row[name]) for name, ours in METRICS.items() if name in row}
    return {name: value for name, value in figures.items() if np.isfinite(value)}


def _check_epochs(folder: Path, model: str, epochs: int | None) -> str:
    """Return a sentence where a model is of another epoch than its last one: WarpRec chose it by the test set."""
    best = None
    for path in sorted(folder.glob("Overall_Params_*.json"), key=_read_time):
        best = json.loads(path.read_text(encoding="utf-8")).get(model, {}).get("Best Training Iteration", best)
    if epochs is None or best is None or int(best) == epochs:
        return ""
    return (
        f"WarpRec took epoch {best} of {epochs} of {model}, by the test set: its figures are too high; set "
        f"optimization.eval_every_n to {epochs} and leave out early_stopping"
    )
