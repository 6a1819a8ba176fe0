"""The section `rec_score`."""

from typing import Annotated

from pydantic import AfterValidator, Field

from pipeline.core.params import Section
from pipeline.names import allowed_names, explain_unknown_name


def check_recommender(name: str) -> str:
    """Return the name of a file of recsys/recommenders/, or refuse it.

    Raises:
        ValueError: There is no such file.
    """
    problem = explain_unknown_name("recommender", name, allowed_names("recsys/recommenders"))
    if problem:
        raise ValueError(problem)
    return name


RecommenderName = Annotated[str, AfterValidator(check_recommender)]  # of an axis of params.yaml


class RecScore(Section):
    """How lists are scored: see the section's comments in params.yaml."""

    cutoffs: Annotated[list[Annotated[int, Field(gt=0)]], Field(min_length=1)]
    cold_purchases: Annotated[int, Field(ge=0)]
    cold_buyers: Annotated[int, Field(ge=0)]
    slice_categories: Annotated[int, Field(ge=0)]
