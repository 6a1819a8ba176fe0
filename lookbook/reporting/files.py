"""Where the files lie that a report reads, and which stage writes each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pipeline.core.errors import UserError
from pipeline.names import explain_unknown_name

T = TypeVar("T")

ITEMS = Path("data/prepared/items.parquet")
IMAGES = Path("data/prepared/images")
CAPTIONS = Path("data/captions")
SAMPLES = Path("data/samples")
OWN_ATTRIBUTES = Path("data/attributes")
ATTRIBUTES = Path("data/scores/attributes.parquet")
CONFUSIONS = Path("data/scores/confusions.parquet")
CAPTION_SCORES = Path("data/scores/captions.parquet")
CAPTION_WORDS = Path("data/scores/caption_words.parquet")
REC_SLICES = Path("data/scores/recommendation_slices.parquet")
CATALOGUE = Path("metrics/catalogue.json")
CAPTION_METRICS = Path("metrics/captions.json")
REC_METRICS = Path("metrics/recommendations.json")
ARRIVALS = Path("metrics/arrivals")
TUNING = Path("metrics/tune")
COMPARISON = Path("metrics/comparison.json")
RATINGS = Path("metrics/ratings.json")
HEADLINE = Path("metrics/headline.json")
CHOSEN = Path("metrics/chosen.json")
CURVES = Path("metrics/curves")
RUN_RECORDS = Path("metrics/train")
LINE = Path("dvc.yaml")
REPORTS = Path("reports")

STAGES = {  # file or folder -> the stage that writes it
    ITEMS: "catalogue_prepare",
    IMAGES: "catalogue_prepare",
    CAPTIONS: "caption_generate_ft",
    OWN_ATTRIBUTES: "caption_attributes",
    ATTRIBUTES: "caption_score",
    CONFUSIONS: "caption_score",
    CAPTION_SCORES: "caption_score",
    CAPTION_WORDS: "caption_score",
    REC_SLICES: "rec_score",
    CATALOGUE: "catalogue_prepare",
    CAPTION_METRICS: "caption_score",
    REC_METRICS: "rec_score",
    COMPARISON: "compare",
    RATINGS: "rate",
    HEADLINE: "compare",
    CHOSEN: "compare",
}


@dataclass(frozen=True)
class Missing:
    """A file that a report would read, and the stage that writes it."""

    path: Path
    stage: str

    @property
    def command(self) -> str:
        """What to run."""
        return f"dvc repro {self.stage}"


@dataclass
class Reader:
    """Reads files that are there, and notes those that are not.

    Attributes:
        missing: What was not there.
    """

    missing: list[Missing] = field(default_factory=list)

    def read(self, path: Path, read: Callable[[Path], T], empty: T, stage: str = "") -> T:
        """Return what is in a file or folder, or `empty` where it is not there.

        Args:
            path: The file.
            read: Reads it.
            empty: What stands for it.
            stage: The stage that writes it; that of `STAGES` if none is given.
        """
        if path.exists():
            return read(path)
        self.note(path, stage or STAGES[path])
        return empty

    def note(self, path: Path, stage: str) -> None:
        """Note a file that is not there, once."""
        if Missing(path, stage) not in self.missing:
            self.missing.append(Missing(path, stage))

    def choose(self, kind: str, name: str, made: Mapping[str, T]) -> T:
        """Return the table or figure of a name.

        Raises:
            UserError: There is none; the message says which there are, and what is not there yet.
        """
        if name in made:
            return made[name]
        problem = explain_unknown_name(f"{kind} of this study", name, made) if made else f"no {kind} can be made yet"
        commands = ", ".join(dict.fromkeys(f"`{missing.command}`" for missing in self.missing))
        raise UserError(problem + (f"; not there yet, others need: {commands}" if commands else ""))

    def require_all(self) -> None:
        """Refuse to go on where something is missing.

        Raises:
            UserError: The message names the first file and the command that writes it.
        """
        for missing in self.missing:
            raise UserError(f"{missing.path}: no such file; run `{missing.command}` to write it")
