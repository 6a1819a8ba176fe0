"""The section `caption_score` of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.core.params import Section


class CaptionScore(Section):
    """Section `caption_score`."""

    spice: Literal["required", "skip"]
    clip_model: Annotated[str, Field(min_length=1)]  # `none`, or a folder under data/models/ with a CLIP
    bert_model: Annotated[str, Field(min_length=1)]  # `none`, or a folder under data/models/ with a BERT or its like
    bert_layer: Annotated[int, Field(gt=0)]
