"""The results of a study, as its tables and figures read them."""

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from lookbook.comparison.settings import Study
from lookbook.reporting.formatting import Tuning, Values
from lookbook.reporting.ranked import Ranked
from pipeline.core.outputs import read_json
from recsys.scoring.arms import list_text_recommenders


@dataclass(frozen=True)
class Results:
    """Metrics and scores; those of captions or of recommendations are empty in a study that has none.

    Attributes:
        comparison: A key per table, as `read_comparison` returns it.
        ranked: The results of new arrivals; None in a study that has none.
        tuning: (experiment, recommender with features) -> metrics/tune/<experiment>/<name>.json.
        most_epochs: The limit of their epochs.
    """

    comparison: Values
    catalogue: Values
    captions: Values
    recommendations: Values
    attributes: pd.DataFrame
    confusions: pd.DataFrame
    ranked: Ranked | None = None
    tuning: Tuning = field(default_factory=dict)
    most_epochs: int = 0


def read_ranked(folder: Path, study: Study, comparison: Values) -> Ranked | None:
    """Read the results of new arrivals; None in a study that ranks none.

    Args:
        folder: A file per recommender with features.
        study: Its axes.
        comparison: metrics/comparison.json, as `read_comparison` returns it.

    Raises:
        UserError: The results of a recommender of the axes are missing.
    """
    if not study.arrival_features:
        return None
    first = study.primary.recommender
    recommenders = sorted(study.content_recommenders, key=lambda name: name != first)  # stable: the others in order
    names = list_text_recommenders(recommenders, study.arrival_features)
    return Ranked(
        metrics={name: read_json(folder / f"{name}.json") for name in names},
        rows=comparison["arrivals"],
        recommenders=recommenders,
        image_features=[name for name in study.image_features if name in study.arrival_features],
        writer=study.writer,
    )


def read_tuning(folder: Path, study: Study) -> Tuning:
    """Read what was tuned, by experiment and recommender: the recommenders of the axes that have a file.

    Args:
        folder: A folder per experiment, in it a file per recommender.
        study: Its axes.
    """
    warm = [*study.warm_image_features, *study.warm_text_features]
    names = {
        "arrivals": list_text_recommenders(study.content_recommenders, study.arrival_features),
        "warm": [*study.recommenders, *list_text_recommenders(study.warm_content_recommenders, warm)],
    }
    paths = {(kind, name): folder / kind / f"{name}.json" for kind in names for name in names[kind]}
    return {key: read_json(path) for key, path in paths.items() if path.exists()}
