"""Root keys of params.yaml that say what a study compares: read by the stages `compare` and `report`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipeline.captioners import Captioners
from pipeline.core.params import Section
from recsys.scoring.arms import build_name, list_text_recommenders


class Primary(Section):
    """The section `primary` of params.yaml: the one comparison that decides, of two sources of the arrivals' words."""

    experiment: Literal["arrivals"]
    recommender: str
    features: str
    a: str
    b: str

    @property
    def name(self) -> str:
        """The recommender with its features, such as `vbpr-sbert`."""
        return build_name(self.recommender, self.features)


class Compare(Section):
    """The section `compare` of params.yaml."""

    draws: Annotated[int, Field(ge=100)]
    swaps: Annotated[int, Field(ge=200)]  # fewer cannot show a p that is small enough for a family
    swap_users: Annotated[int, Field(ge=1)]
    equivalence: Annotated[float, Field(gt=0, lt=1)]
    seed: Annotated[int, Field(ge=0)]


class Study(Section):
    """The members of the study's axes, and the captions and catalogue that its headline shows."""

    captions: Literal["pt", "ft"]
    catalogue: Literal["original", "augmented"]
    writer: str
    primary: Primary
    captioners: Captioners
    texts: list[str]
    catalogues: list[str]
    recommenders: list[str]
    content_recommenders: list[str]
    image_features: list[str]
    text_features: list[str]
    warm_content_recommenders: list[str]
    warm_image_features: list[str]
    warm_text_features: list[str]
    arrival_features: list[str]

    @model_validator(mode="after")
    def _check_arrival_features(self) -> "Study":
        """Refuse features that no cell extracts: else `compare` would miss them after everything was fitted."""
        known = [*self.image_features, *self.text_features]
        unknown = [name for name in self.arrival_features if name not in known]
        if self.content_recommenders and unknown:
            raise ValueError(
                f"arrival_features: neither image_features nor text_features has {', '.join(unknown)}; "
                "add what is missing to one of them, or take it out"
            )
        return self

    @property
    def has_recommendations(self) -> bool:
        """Whether the study recommends anything; a study without purchases has no catalogues, texts or arrivals."""
        return bool(self.catalogues or self.texts or (self.content_recommenders and self.arrival_features))

    @property
    def primary_recommenders(self) -> list[str]:
        """The content recommenders on the features of the primary comparison; none in a study without arrivals."""
        features = [name for name in self.arrival_features if name == self.primary.features]
        return list_text_recommenders(self.content_recommenders, features)
