"""What the report, its tables and its figures read of params.yaml."""

from pydantic import ConfigDict

from lookbook.comparison.settings import Study
from pipeline.core.params import Section


class Budget(Section):
    """What they read of the section `rec_tune`."""

    model_config = ConfigDict(extra="ignore")  # its other keys, and the recommenders' grids

    epochs: int


class ReportedStudy(Study):
    """The axes, the data set, and the limit of epochs that every trial had."""

    dataset: str
    rec_tune: Budget
