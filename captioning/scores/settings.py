"""The section `caption_score` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.core.params import Section


class CaptionScore(Section):
    """Section `caption_score`."""

    spice: Literal["required", "skip"]
    clip_model: Annotated[str, Field(min_length=1)]  # `none`, or a folder under data/models/ with a CLIP
