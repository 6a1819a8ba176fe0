"""The results of a study, as its tables and figures read them."""

from dataclasses import dataclass

import pandas as pd

from lookbook.reporting.formatting import Values


@dataclass(frozen=True)
class Results:
    """Metrics and scores; those of captions or of recommendations are empty in a study that has none."""

    comparison: Values
    catalogue: Values
    captions: Values
    recommendations: Values
    attributes: pd.DataFrame
    confusions: pd.DataFrame
