"""The section `rec_score`."""

from typing import Annotated

from pydantic import Field

from pipeline.core.params import Section


class RecScore(Section):
    """How lists are scored: see the section's comments in params.yaml."""

    cutoffs: Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=1)]
    cold_purchases: Annotated[int, Field(ge=0)]
    cold_buyers: Annotated[int, Field(ge=0)]
    slice_categories: Annotated[int, Field(ge=0)]
