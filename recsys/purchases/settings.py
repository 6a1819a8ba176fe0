"""The section `rec_interactions`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.core.params import Section

FewPurchases = Literal["train", "drop", "study"]


class RecInteractions(Section):
    """Section `rec_interactions` of params.yaml."""

    evaluation: Literal["common", "published"]
    split: Literal["per_user", "date"]
    test_share: Annotated[float, Field(gt=0, lt=1)]
    test_days: Annotated[int, Field(ge=1)]
    validation_purchases: Annotated[int, Field(ge=0)]
    min_purchases: Annotated[int, Field(ge=1)]
    few_purchases: FewPurchases
    repeats: Literal["keep", "drop"]
    sampling: Literal["full", "10M", "2M"]
    sampling_seed: Annotated[int, Field(ge=0)]
    sampling_study: bool

    @model_validator(mode="after")
    def _check_sampling(self) -> "RecInteractions":
        if self.sampling_study and self.sampling == "full":
            raise ValueError("sampling_study: true needs sampling 10M or 2M: it says how a sample is drawn")
        return self
