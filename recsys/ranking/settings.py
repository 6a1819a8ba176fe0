"""What every recommender reads of section `rec_fit`, and what one run gets beside the recommender's own settings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field

from pipeline.core.params import Section

Count = Annotated[int, Field(gt=0)]


class RecFit(Section):
    """Section `rec_fit` of params.yaml without the recommenders' own sub-sections (`pipeline.names.with_sections`)."""

    model_config = ConfigDict(extra="ignore")  # the sub-sections of recommenders that a stage does not run

    top_k: Count
    seeds: Count
    seed: Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class Run:
    """One run of a recommender.

    Attributes:
        seed: what the run draws from.
        top_k: how many items a list has; early stopping measures at it.
        device: where it learns, cpu or cuda.
        threads: CPU threads.
        checkpoints: the folder for the state of what learns in epochs; None: no state is kept.
    """

    seed: int
    top_k: int
    device: str = "cpu"
    threads: int = 1
    checkpoints: Path | None = None
