"""The section `rec_fit`, and the options that a recommender is given."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pipeline.core.params import Section

Count = Annotated[int, Field(gt=0)]


class RecFit(Section):
    """Section `rec_fit` of params.yaml."""

    top_k: Count
    seeds: Count
    userknn_k: Count
    itemknn_k: Count
    neighbourhood: Literal["elliot", "standard"]
    similarity: Literal["cosine", "jaccard"]
    shrink: Annotated[float, Field(ge=0)]
    half_life_days: Annotated[float, Field(ge=0)]
    factors: Count
    variant: Literal["paper", "ducho"]
    epochs: Count
    patience: Annotated[int, Field(ge=0)]
    evaluate_every: Count
    batch_size: Count
    learning_rate: Annotated[float, Field(gt=0)]
    regularisation: Annotated[float, Field(ge=0)]


class Options(RecFit):
    """What a recommender may be told: its section, and where it runs."""

    device: str = "cpu"
    threads: Count = 1
    checkpoints: Path | None = None  # where what learns in epochs keeps its state; None: nowhere
