"""The start page of a study: its answer, a few figures, the stages, and trainings that run now."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from lookbook.comparison.rows import read_comparison
from lookbook.reporting.answer import Answer, write_answer
from lookbook.views.study import COMPARISON, INTERACTIONS, ITEMS, RECOMMENDATIONS, Study
from pipeline.core.outputs import read_json
from recsys.scoring.arms import build_name

CHECKPOINTS = Path(".checkpoints")
JUDGEMENTS = Path("ratings/judgements.csv")
CAPTION_METRICS = Path("metrics/captions.json")
REC_METRICS = Path("metrics/recommendations.json")
LIVE = Path("live/plots/metrics")
SAMPLES = "samples.csv"  # two folders above
SHOWN_SAMPLES = 2


@dataclass(frozen=True)
class Training:
    """A training whose checkpoints are there: it runs, or was stopped.

    Attributes:
        name: The folder of its checkpoints.
        figures: The last value of each logged metric, by name.
        step: The last optimiser step.
        samples: Reference and caption of the last epoch, of a few validation garments.
    """

    name: str
    figures: dict[str, float]
    step: int
    samples: list[tuple[str, str]]


def read_answer(study: Study) -> Answer | None:
    """Read the answer of the study in sentences; None before the stage `compare` has run."""
    if not study.has(COMPARISON):
        return None
    primary: Any = study.params.get("primary") or {}
    name = build_name(str(primary.get("recommender", "")), primary.get("features"))
    recommendations = read_json(study.root / REC_METRICS) if study.has(REC_METRICS) else {}
    comparison = read_comparison(study.root / COMPARISON)
    return write_answer(comparison, recommendations, name)


def count_figures(study: Study) -> dict[str, str]:
    """Count garments, captioners, customers, files of lists, judgements, and what was not scored."""
    captions = read_json(study.root / CAPTION_METRICS) if study.has(CAPTION_METRICS) else {}
    users = study.root / INTERACTIONS / "users.parquet"
    lists = list((study.root / RECOMMENDATIONS).glob("*/*.parquet"))
    return {
        "garments": _count_rows(study.root / ITEMS),
        "captioners": str(len(study.captioners)),
        "customers": _count_rows(users),
        "files of lists": f"{len(lists):,}",
        "judgements": f"{_count_judgements(study.root / JUDGEMENTS):,}",
        "scores left out": str(len(captions.get("skipped", []))) if captions else "–",
    }


def _count_rows(path: Path) -> str:
    return f"{pq.read_metadata(path).num_rows:,}" if path.is_file() else "–"


def _count_judgements(path: Path) -> int:
    if not path.is_file():
        return 0
    with open(path, encoding="utf-8", newline="") as file:
        return max(0, sum(1 for _ in csv.reader(file)) - 1)


def list_trainings(study: Study) -> list[Training]:
    """List the trainings that have checkpoints, also those of queued experiments in this folder."""
    folders = sorted((study.root / CHECKPOINTS).glob(f"*/{LIVE}"))
    found = (_read_live(folder) for folder in folders)
    return [training for training in found if training]


def _read_live(folder: Path) -> Training | None:
    """Read the last line of each file of DVCLive below a folder; None where nothing is logged yet."""
    figures, step = {}, 0
    for path in sorted(folder.rglob("*.tsv")):
        last = _read_last(path)
        if last:
            name = path.relative_to(folder).with_suffix("").as_posix()
            step, figures[name] = max(step, last[0]), last[1]
    if not figures:
        return None
    return Training(folder.parents[2].name, figures, step, _read_samples(folder.parents[1] / SAMPLES))


def _read_last(path: Path) -> tuple[int, float] | None:
    """Read step and value of the last whole line; a line that is being written is left out."""
    lines = path.read_text(encoding="utf-8").split("\n")[1:-1]
    if not lines:
        return None
    cells = lines[-1].split("\t")
    return int(cells[0]), float(cells[-1])


def _read_samples(path: Path) -> list[tuple[str, str]]:
    """Read reference and caption of the last epoch of the garments whose captions are written while training."""
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    last = {row["item_id"]: (row["reference"], row["caption"]) for row in rows}  # epochs ascend
    return list(last.values())[:SHOWN_SAMPLES]
