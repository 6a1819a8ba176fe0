"""What every recommender reads of section `rec_fit`, and what one run gets beside the recommender's own settings."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field

from pipeline.core.params import Section
from pipeline.machine import HERE, Where
from recsys.ranking.ranges import Sharing
from recsys.ranking.scorers import RandomOrder, Scorer

Count = Annotated[int, Field(gt=0)]


class FirstRun(Section):
    """What a stage reads of section `rec_fit` that makes one run alone."""

    model_config = ConfigDict(extra="ignore")  # as in `RecFit`

    top_k: Count
    seed: Annotated[int, Field(ge=0)]


class RecFit(Section):
    """Section `rec_fit` of params.yaml without the recommenders' own sub-sections (`pipeline.names.with_sections`)."""

    model_config = ConfigDict(extra="ignore")  # the sub-sections of recommenders that a stage does not run

    top_k: Count
    seeds: Count
    seed: Annotated[int, Field(ge=0)]


@dataclass
class Stopping:
    """When what learns in epochs has learned enough.

    Attributes:
        measure: how good a fitted recommender is, on what it did not learn from.
        patience: after how many measurements without a better one learning stops; 0: after all epochs.
        every: epochs between two measurements.
        measured: epochs and the measure after them, in order; empty for what learns in no epochs.
    """

    measure: Callable[[Scorer | RandomOrder], float]
    patience: int
    every: int
    measured: list[tuple[int, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Run:
    """One run of a recommender.

    Attributes:
        seed: what the run draws from.
        top_k: how many items a list has.
        device: where it learns, cpu or cuda.
        threads: CPU threads.
        checkpoints: the folder for the state of what learns in epochs; None: no state is kept.
        stopping: stops what learns in epochs before its last one; None: nothing does.
        where: this process, or a cluster whose nodes share what falls into ranges of rows.
    """

    seed: int
    top_k: int
    device: str = "cpu"
    threads: int = 1
    checkpoints: Path | None = None
    stopping: Stopping | None = None
    where: Where = HERE

    def share(self) -> Sharing | None:
        """Return how nodes share ranges of rows, in a folder below that of checkpoints; None: this process alone."""
        if self.checkpoints is None or self.where.cluster == "none":
            return None
        return Sharing(self.checkpoints / "ranges", self.where)
