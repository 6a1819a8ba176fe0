"""What a reader is told about raw data that is not always the same: keys of `catalogue_prepare` in params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.core.params import Section

Name = Annotated[str, Field(min_length=1)]


class Columns(Section):
    """Of a shop's items.csv, and of its purchases.csv (`user`, `purchased`, `day`); an empty name: there is no such column."""

    item: Name
    description: Name
    category: str
    product: str
    colour: str
    image: str
    user: Name
    purchased: Name
    day: Name

    def of_items(self) -> list[str]:
        """Columns that items.csv must have."""
        named = (self.item, self.description, self.category, self.product, self.colour, self.image)
        return [name for name in named if name]


class ReaderSettings(Section):
    """The part of the section `catalogue_prepare` that readers see."""

    columns: Columns
    facad_test: Literal["refuse", "raw", "first_99946"]


DATASET_NAME = "^[a-z0-9][a-z0-9_-]*$"


class CataloguePrepare(ReaderSettings):
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    split: Literal["grouped", "random", "published"]
    min_items_per_type: Annotated[int, Field(ge=1)]
    image_size: Annotated[int, Field(ge=16, le=4096)]
    lower_case: bool
