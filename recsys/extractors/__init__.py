"""Feature extractors, one file each, loaded by name. A file holds one of these functions, or both:

- `image_vectors(ids, store, options) -> (len(ids), dim) float32`: of the pictures of these items, in this order;
- `text_vectors(texts, options) -> (len(texts), dim) float32`: of these texts, all different.

With `image_vectors` alone it is an extractor of image features; with `text_vectors` one of text features, whose row for an
item is the vector of its picture, if there is one, and then that of its text. Scaling is the extractor's own affair.

Adding an extractor of text features is one file here and its name under `text_features` in params.yaml.
"""

from typing import Annotated

from pydantic import Field

from pipeline.params import Section


class RecFeatures(Section):
    """Section `rec_features` of params.yaml."""

    image_model: Annotated[str, Field(min_length=1)]
    image_size: Annotated[int, Field(ge=32, le=1024)]
    clip_model: Annotated[str, Field(min_length=1)]
    batch_size: Annotated[int, Field(gt=0)]


class Options(RecFeatures):
    """What an extractor may be told: its section, and where it runs."""

    device: str = "cpu"
