"""Root keys of params.yaml that say what a study compares: read by the stages `compare` and `report`."""

from typing import Any, Literal

from pipeline.core.params import Section


class Study(Section):
    """The members of the study's axes, and the captions and catalogue that its headline shows."""

    captions: Literal["pt", "ft"]
    catalogue: Literal["original", "augmented"]
    writer: str
    captioners: dict[str, Any]
    texts: list[str]
    catalogues: list[str]
    recommenders: list[str]
    content_recommenders: list[str]
    image_features: list[str]
    text_features: list[str]

    @property
    def has_recommendations(self) -> bool:
        """Whether the study recommends anything; a study without purchases has neither catalogues nor texts."""
        return bool(self.catalogues or self.texts)
