"""The keys that all recommenders have which learn from pairs."""

from typing import Annotated, ClassVar

from pydantic import Field

from pipeline.core.params import Section
from recsys.ranking.settings import Count


class PairwiseSettings(Section):
    """The keys of bpr, and of vbpr beside its variant."""

    SECTION: ClassVar[str]  # the section's name, for messages

    factors: Count
    epochs: Count
    batch_size: Count
    learning_rate: Annotated[float, Field(gt=0)]
    regularisation: Annotated[float, Field(ge=0)]
