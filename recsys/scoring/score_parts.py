"""Scores of lists shared by the nodes of a cluster: a part is what one file of lists adds to the tables.

A part holds the calls that add rows, with their arrays; the driver makes the same calls in the order of the files. So
tables have the bytes of one process.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from pipeline.checkpoints import is_whole, load_part, part_path, save
from pipeline.cluster import Write, make_files
from pipeline.machine import Where
from recsys.scoring.contributions import Hits
from recsys.scoring.ground_truth import GroundTruth
from recsys.scoring.study_lists import ListFile
from recsys.scoring.study_scores import AddFile, Figures, Tables, score_file


class Record:
    """Calls that add rows to tables, and their arrays."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.arrays: dict[str, np.ndarray] = {}

    def tables(self) -> Tables:
        """Return tables that record what is added."""
        rows = (partial(self._record, name) for name in ("add_users", "add_slices"))
        hits = (partial(self._record_hits, name) for name in ("add_hits", "add_slice_hits"))
        return Tables(*rows, *hits)

    def _record_hits(self, table: str, labels: Mapping[str, str], run: int, users: np.ndarray, hits: Hits) -> None:
        self._record(table, labels, run, users, hits._asdict())

    def _record(
        self, table: str, labels: Mapping[str, str], run: int, users: np.ndarray, columns: Mapping[str, np.ndarray]
    ) -> None:
        number = len(self.calls)
        self.calls.append({"table": table, "labels": dict(labels), "run": int(run), "columns": list(columns)})
        self.arrays |= {_name(number, name): values for name, values in {"": users, **columns}.items()}


def _name(call: int, column: str) -> str:
    """Return the name of an array of a call; users have the column without a name."""
    return f"{call:06d}.{column}"


def share_files(
    files: list[ListFile], work: Path, where: Where, read_truth: Callable[[], GroundTruth], *settings: Any
) -> AddFile:
    """Score all files of lists on a cluster, and return what adds those of a file to the tables.

    Args:
        files: of lists, those of `score_files`.
        work: the folder of parts; its name depends on all that scores do.
        where: the cluster.
        read_truth: a function that travels: a `functools.partial` of one of a module.
        settings: cutoffs, and the folder of lists.

    Raises:
        UserError: as `pipeline.cluster.make_files` and `read_study_lists`.
    """
    parts = {part_path(work, f"{number:06d}"): file for number, file in enumerate(files)}
    made = make_files(parts, open_scores, read_truth, *settings, where=where, is_whole=is_whole)
    paths = dict(zip(files, made, strict=True))
    return lambda file, tables: replay(paths[file], tables)


def open_scores(read_truth: Callable[[], GroundTruth], cutoffs: list[int], folder: Path) -> Write:
    """Read the test purchases, and return what writes the scores of files of lists."""
    truth = read_truth()

    def write(parts: Mapping[Path, ListFile]) -> None:
        for path, file in parts.items():
            record = Record()
            figures = score_file(truth, cutoffs, folder, file, record.tables())
            save(path, record.arrays, {"calls": record.calls, "figures": figures})

    return write


def replay(path: Path, tables: Tables) -> Figures:
    """Add the rows of a part to the tables, and return its figures."""
    arrays, state = load_part(path)
    for number, call in enumerate(state["calls"]):
        columns = {name: arrays[_name(number, name)] for name in call["columns"]}
        users, add = arrays[_name(number, "")], getattr(tables, call["table"])
        add(call["labels"], call["run"], users, Hits(**columns) if call["table"].endswith("hits") else columns)
    return cast(Figures, state["figures"])
