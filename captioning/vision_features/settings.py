"""The section `caption_features`, the root keys that feature extraction reads, and the names of its features."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from pipeline.core.params import Section
from pipeline.machine import Machine
from pipeline.names import allowed_names, explain_unknown_name

BLIP2 = "blip2"  # how the names of its families begin
VISUAL = "blip2-visual"
QUERIES = "blip2-queries"
NAMES = (VISUAL, QUERIES)  # as under image_features in params.yaml


class CaptionFeatures(Section):
    """The section `caption_features`. Its model need not be a captioner of the study, nor the writer."""

    captioner: str
    family: str
    features_adapter: str
    queries: Literal["flat", "mean", "pca95"]
    batch_size: Annotated[int, Field(gt=0)]
    precision: Literal["fp32", "bf16"]

    @field_validator("family")
    @classmethod
    def _has_these_features(cls, family: str) -> str:
        allowed = [name for name in allowed_names("captioning/families") if name.startswith(BLIP2)]
        problem = explain_unknown_name("family with BLIP-2 features", family, allowed)
        if problem:
            raise ValueError(problem)
        return family


class Params(Section):
    """The parameters that the stage reads."""

    device: Literal["cpu", "cuda"]
    machine: Machine
    caption_features: CaptionFeatures
