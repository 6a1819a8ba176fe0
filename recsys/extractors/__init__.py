"""Feature extractors, one file each, loaded by name. A file holds one of these functions, or both:

- `image_vectors(ids, store, options) -> (len(ids), dim) float32`: of the pictures of these items, in this order;
- `text_vectors(texts, options) -> (len(texts), dim) float32`: of these texts, all different. The empty text has a vector like
  any other, and it is what an item without words gets: nothing is left out, so no row can shift.

With `image_vectors` alone it is an extractor of image features; with `text_vectors` one of text features, whose row for an
item is the vector of its picture, and then that of its text. Scaling is the extractor's own affair. Both are called for some
thousand items at a time, so they keep their model (`functools.cache`).

Adding an extractor of text features is one file here and its name under `text_features` in params.yaml.
"""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.core.params import Section


class RecFeatures(Section):
    """Section `rec_features` of params.yaml."""

    image_model: Annotated[str, Field(min_length=1)]
    image_size: Annotated[int, Field(ge=32, le=1024)]
    text_model: Annotated[str, Field(min_length=1)]
    clip_model: Annotated[str, Field(min_length=1)]
    batch_size: Annotated[int, Field(gt=0)]
    precision: Literal["fp32", "bf16"]
    reduce: Literal["none", "pca95"]


class Options(RecFeatures):
    """What an extractor may be told: its section, and where it runs."""

    device: str = "cpu"
