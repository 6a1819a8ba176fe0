"""Feature extractors: one file each, loaded by name.

A file has `Settings`, the keys of its sub-section of `rec_features` in params.yaml, and one of these functions, or
both:

- `image_vectors` of the pictures of some items (`ImageExtractor`);
- `text_vectors` of some texts (`TextExtractor`).

With `image_vectors` alone it is an extractor of image features. With `text_vectors` it is one of text features: the row
of an item is the vector of its picture, if the file has `image_vectors`, then that of its text. The extractor scales
its own vectors. Both functions are called for some thousand items at a time, so they keep their model
(`functools.cache`). `lookbook check` imports every file: what is slow to import (torch) is imported inside functions.

An extractor of text features is added by one file here, its name under `text_features` in params.yaml and its
sub-section of `rec_features`.
"""

import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, TypeVar, cast, runtime_checkable

import numpy as np
from pydantic import ConfigDict, Field

from pipeline.core.params import Section
from pipeline.names import check_name

if TYPE_CHECKING:
    from catalogue.prepared.images import ImageStore


class RecFeatures(Section):
    """Section `rec_features` of params.yaml; `pipeline.names.with_sections` adds the extractors' own sub-sections."""

    model_config = ConfigDict(extra="ignore")  # the sub-sections of extractors that a stage does not run


class ExtractorSettings(Section):
    """The keys that every extractor has."""

    model: Annotated[str, Field(min_length=1)]
    batch_size: Annotated[int, Field(gt=0)]
    precision: Literal["fp32", "bf16"]
    reduce: Literal["none", "pca95"]


OwnSettings = TypeVar("OwnSettings", bound=ExtractorSettings, contravariant=True)


@runtime_checkable
class Extractor(Protocol):
    """A file of this folder."""

    @property
    def Settings(self) -> type[ExtractorSettings]:  # noqa: N802  # a class of the file
        """The keys of its sub-section of `rec_features`."""
        ...


@runtime_checkable
class ImageExtractor(Extractor, Protocol[OwnSettings]):
    """An extractor that reads pictures."""

    def image_vectors(self, ids: Sequence[str], store: "ImageStore", settings: OwnSettings, device: str) -> np.ndarray:
        """Return the vectors of the pictures of these items, in their order: (len(ids), dim) float32."""
        ...


@runtime_checkable
class TextExtractor(Extractor, Protocol[OwnSettings]):
    """An extractor that reads texts."""

    def text_vectors(self, texts: Sequence[str], settings: OwnSettings, device: str) -> np.ndarray:
        """Return the vectors of these texts, all different: (len(texts), dim) float32.

        The empty text has a vector too, which every item without words gets: no item is left out, so no row can shift.
        """
        ...


class ImageTextExtractor(ImageExtractor[OwnSettings], TextExtractor[OwnSettings], Protocol[OwnSettings]):
    """An extractor that reads pictures and texts."""


def load(name: str) -> Extractor:
    """Import an extractor by its name.

    Raises:
        UserError: there is no such extractor.
    """
    check_name("extractor", name, "recsys/extractors")
    return cast(Extractor, importlib.import_module(f"recsys.extractors.{name}"))
