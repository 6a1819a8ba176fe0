"""What the report, its tables and its figures read of params.yaml."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict

from lookbook.comparison.settings import Study
from pipeline.core.params import Section
from pipeline.core.record import check_country


class Budget(Section):
    """What they read of the section `rec_tune`."""

    model_config = ConfigDict(extra="ignore")  # its other keys, and the recommenders' grids

    epochs: int


class Place(Section):
    """What they read of the section `caption_train`."""

    model_config = ConfigDict(extra="ignore")  # how captioners are trained

    country: Annotated[str, AfterValidator(check_country)]


class ReportedStudy(Study):
    """The axes, the data set, the limit of epochs that every trial had, and the country whose electricity was used."""

    dataset: str
    rec_tune: Budget
    caption_train: Place
