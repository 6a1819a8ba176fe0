"""The section `rec_tune`."""

from itertools import product
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from pipeline.core.params import Section
from recsys.ranking.settings import Count


class RecTune(Section):
    """Section `rec_tune` of params.yaml without the recommenders' own grids (`pipeline.names.with_sections`)."""

    model_config = ConfigDict(extra="ignore")  # the grids of recommenders that a stage does not run

    epochs: Count
    patience: Annotated[int, Field(ge=0)]
    evaluate_every: Count


def list_cells(grid: Section) -> list[dict[str, Any]]:
    """Return every combination of a grid's values; keys without values are left out.

    Args:
        grid: a recommender's sub-section of `rec_tune`, a list of values for each key of its settings.
    """
    values = {key: listed for key, listed in grid.model_dump().items() if listed}
    return [dict(zip(values, cell, strict=True)) for cell in product(*values.values())]
