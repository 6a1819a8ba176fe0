"""What a study has: its parameters, the files that are there, and the stages that make those that are not."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from ruamel.yaml import YAML

from lookbook.reporting.cells import list_cells, list_outputs
from pipeline.core.errors import UserError
from pipeline.core.params import load

VARIANTS = ("pt", "ft")
SMALL = 1 << 20  # bytes: the content of smaller files is compared with dvc.lock, of larger ones the size

ITEMS = Path("data/prepared/items.parquet")
IMAGES = Path("data/prepared/images")
CAPTIONS = Path("data/captions")
SCORES = Path("data/scores/captions.parquet")
CAPTION_WORDS = Path("data/scores/caption_words.parquet")
ATTRIBUTES = Path("data/attributes/items.parquet")
VOCABULARY = Path("data/attributes/vocabulary.json")
INTERACTIONS = Path("data/interactions")
RECOMMENDATIONS = Path("data/recommendations")
USER_SCORES = Path("data/scores/recommendations.parquet")
USER_SLICES = Path("data/scores/recommendation_slices.parquet")
RANKED = Path("data/arrivals/ranked")
TEXTS = Path("data/texts")
SOURCES = Path("data/sources")
COMPARISON = Path("metrics/comparison.json")
REPORT = Path("reports/index.html")

STAGES = {  # file or folder → the stage that writes it
    ITEMS: "catalogue_prepare",
    IMAGES: "catalogue_prepare",
    SCORES: "caption_score",
    CAPTION_WORDS: "caption_score",
    ATTRIBUTES: "caption_attributes",
    VOCABULARY: "caption_attributes",
    INTERACTIONS: "rec_interactions",
    RECOMMENDATIONS: "rec_fit",
    USER_SCORES: "rec_score",
    USER_SLICES: "rec_score",
    RANKED: "rec_rank_arrivals_text",
    TEXTS: "catalogue_texts",
    SOURCES: "catalogue_sources",
    COMPARISON: "compare",
    REPORT: "report",
}

State = Literal["done", "part", "missing", "not committed", "none"]


@dataclass(frozen=True)
class Study:
    """A study in a folder.

    Attributes:
        root: The folder with params.yaml.
        params: Its parameters.
    """

    root: Path
    params: dict[str, Any]

    @property
    def captioners(self) -> list[str]:
        """The captioners of params.yaml."""
        return list(self.params.get("captioners") or {})

    def has(self, path: Path) -> bool:
        """Tell whether a file, or a folder with something in it, is there."""
        full = self.root / path
        return any(entry.name != ".gitkeep" for entry in full.iterdir()) if full.is_dir() else full.exists()

    def list_sets(self) -> list[tuple[str, str]]:
        """List captioner and variant of the caption files that are there, in the order of params.yaml."""
        return [
            (name, variant) for name in self.captioners for variant in VARIANTS if self.has(captions(name, variant))
        ]

    def list_untrained(self) -> list[str]:
        """Say for each caption file that is not there which stage writes it."""
        return [
            f"{name} {variant}: no captions yet, run `dvc repro caption_generate_{variant}@{name}`"
            for name in self.captioners
            for variant in VARIANTS
            if not self.has(captions(name, variant))
        ]


@dataclass(frozen=True)
class StageState:
    """How far a stage of dvc.yaml is.

    Attributes:
        name: The stage.
        cells: How many cells it has in this study.
        done: How many of them have all their outputs.
        stale: Outputs that differ from dvc.lock.
    """

    name: str
    cells: int
    done: int
    stale: list[str]

    @property
    def state(self) -> State:
        """The state in a word or two."""
        if not self.cells:
            return "none"
        if self.done < self.cells:
            return "part" if self.done else "missing"
        return "not committed" if self.stale else "done"


def open_study(root: Path) -> Study:
    """Open the study of a folder.

    Raises:
        UserError: There is no params.yaml, or it cannot be read.
    """
    return Study(root, load(root / "params.yaml"))


def captions(captioner: str, variant: str) -> Path:
    """Return the file of a captioner's captions."""
    return CAPTIONS / f"{captioner}-{variant}.parquet"


def list_missing(study: Study, paths: tuple[Path, ...]) -> list[tuple[str, str]]:
    """List the files of a page that are not there, each with the stage that writes it."""
    return [(path.as_posix(), STAGES[path]) for path in paths if not study.has(path)]


def list_stages(study: Study) -> list[StageState]:
    """Tell how far every stage of dvc.yaml is; empty where the folder has none."""
    path = study.root / "dvc.yaml"
    if not path.is_file():
        return []
    lock = study.root / "dvc.lock"
    locked = _read_lock(lock, lock.stat().st_mtime_ns) if lock.is_file() else {}
    stages = YAML(typ="safe").load(path).get("stages", {})
    return [_examine(study, name, stage, locked) for name, stage in stages.items()]


def _examine(study: Study, name: str, stage: Mapping[str, Any], locked: Mapping[str, Mapping[str, Any]]) -> StageState:
    empty = {path for path, out in locked.items() if out.get("nfiles") == 0}  # folders that DVC keeps without a file
    cells = [
        [path for path in list_outputs(stage, cell, study.params) if path not in empty]
        for cell in list_cells(stage, study.params)
    ]
    there = [all(study.has(Path(path)) for path in outputs) for outputs in cells]
    made = [path for outputs, done in zip(cells, there, strict=True) if done for path in outputs]
    stale = [path for path in made if path in locked and _differs(study.root / path, locked[path])]
    return StageState(name, len(cells), sum(there), stale)


@lru_cache(maxsize=1)
def _read_lock(path: Path, version: int) -> dict[str, dict[str, Any]]:  # a new version is a new key
    """Read dvc.lock as the entry of each output."""
    stages = (YAML(typ="safe").load(path) or {}).get("stages", {})
    return {entry["path"]: entry for stage in stages.values() for entry in stage.get("outs", [])}


def _differs(path: Path, entry: Mapping[str, Any]) -> bool:
    """Tell whether an output is not what dvc.lock says: by content where it is small, otherwise by size."""
    if path.is_dir():
        files = [file for file in path.rglob("*") if file.is_file()]
        return len(files) != entry.get("nfiles") or sum(file.stat().st_size for file in files) != entry.get("size")
    size = path.stat().st_size
    if size != entry.get("size", size):
        return True
    return size <= SMALL and hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() != entry.get("md5")


def require_stage(study: Study, path: Path) -> Path:
    """Return the full path of an output.

    Raises:
        UserError: It is not there; the message names the stage that writes it.
    """
    if not study.has(path):
        raise UserError(f"{path.as_posix()}: no such file; run `dvc repro {STAGES.get(path, '')}`".rstrip())
    return study.root / path
