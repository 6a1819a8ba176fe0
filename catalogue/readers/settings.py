"""The section `catalogue_prepare` of params.yaml, and the part of it that readers see."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.core.params import Section

Name = Annotated[str, Field(min_length=1)]


class Columns(Section):
    """Name the columns of a shop's items.csv and purchases.csv (`user`, `purchased`, `day`).

    An empty name means that there is no such column.
    """

    item: Name
    description: Name
    category: str
    product: str
    colour: str
    image: str
    user: Name
    purchased: Name
    day: Name

    def list_item_columns(self) -> list[str]:
        """List the columns that items.csv must have."""
        names = (self.item, self.description, self.category, self.product, self.colour, self.image)
        return [name for name in names if name]


class ReaderSettings(Section):
    """The part of the section `catalogue_prepare` that readers see."""

    columns: Columns
    facad_test: Literal["refuse", "raw", "first_99946"]
    images: Literal["first", "all"]


DATASET_NAME = "^[a-z0-9][a-z0-9_-]*$"


class CataloguePrepare(ReaderSettings):
    """The section `catalogue_prepare`: how raw data is read, filtered, split and packed."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    split: Literal["grouped", "random", "published", "launch"]
    min_items_per_type: Annotated[int, Field(ge=1)]
    image_size: Annotated[int, Field(ge=16, le=4096)]  # longest side in pixels
    lower_case: bool
