"""The section `caption_classifier` of params.yaml."""

from typing import Annotated

from pydantic import Field

from pipeline.core.params import Section


class CaptionClassifier(Section):
    """Section `caption_classifier`."""

    encoder: Annotated[str, Field(min_length=1)]  # minilm, or a folder under data/models/
    regularisation: Annotated[float, Field(gt=0, allow_inf_nan=False)]  # C of scikit-learn: the larger, the weaker
    epochs: Annotated[int, Field(ge=1)]
    patience: Annotated[int, Field(ge=1)]
    lr: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    batch_size: Annotated[int, Field(ge=1)]
    max_tokens: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=0)]
